import { InjectionToken } from '@angular/core';
import type { KeyValueStorage, RetryPolicy, Surroundings } from '@markt/auth-core';

/** What an app says of itself and of the service. */
export interface AuthConfig {
  /** Where the service is, without a path: `https://auth.example.com`. Empty if it has the page's own origin. */
  serviceUrl: string;
  /** Where else the session is to go: the app's own API behind the same login. */
  alsoFor?: readonly string[];
  /** The route where users log in; whoever is thrown out is led there. `/login` without this. */
  loginPath?: string;
  /** How often a page that is looked at asks whether the session still lives, in milliseconds; a minute without this. */
  checkEvery?: number;
  /** Where the user is remembered; `localStorage` without this. */
  storage?: KeyValueStorage;
  retry?: RetryPolicy;
  surroundings?: Surroundings;
}

/** Where the config is found. */
export const AUTH_CONFIG = new InjectionToken<AuthConfig>('the config of markt-auth');
