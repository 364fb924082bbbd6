import { DOCUMENT } from '@angular/common';
import { HttpBackend, HttpClient } from '@angular/common/http';
import {
  DestroyRef,
  type EnvironmentProviders,
  inject,
  makeEnvironmentProviders,
  provideAppInitializer,
} from '@angular/core';
import { Router } from '@angular/router';
import { followOtherTabs, SessionClient } from '@markt/auth-core';
import { AuthService } from './auth.js';
import { AUTH_CONFIG, type AuthConfig } from './config.js';
import { httpSend } from './send.js';

const MINUTE = 60_000;

/** The service and what belongs to it. The app adds `provideHttpClient(withInterceptors([sessionInterceptor]))`. */
export function provideAuth(config: AuthConfig): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: AUTH_CONFIG, useValue: config },
    { provide: AuthService, useFactory: createService },
    provideAppInitializer(start),
  ]);
}

function createService(): AuthService {
  const { storage = localStorage, ...config } = inject(AUTH_CONFIG);
  // Past the interceptors: the session sees to its own requests itself.
  const send = httpSend(new HttpClient(inject(HttpBackend)));
  return new AuthService(new SessionClient({ ...config, transport: 'cookie', storage, send }));
}

/** Shows who is remembered, asks the service meanwhile, goes on asking, and leads to the login whoever is out. */
async function start(): Promise<void> {
  const auth = inject(AuthService);
  const router = inject(Router);
  const document = inject(DOCUMENT);
  const { loginPath = '/login', checkEvery = MINUTE } = inject(AUTH_CONFIG);
  const destroyed = inject(DestroyRef);

  let wasLoggedIn = false;
  auth.session.watch(({ status }) => {
    const isOut = status === 'logged-out' && wasLoggedIn;
    wasLoggedIn = status === 'logged-in';
    if (isOut) void router.navigate([loginPath], { queryParams: { returnUrl: router.url } });
  });
  const check = () => {
    // An outage ends nothing: the next time will tell.
    if (auth.isLoggedIn() && document.visibilityState === 'visible')
      void auth.session.validate().catch(() => undefined);
  };
  const timer = setInterval(check, checkEvery);
  document.addEventListener('visibilitychange', check);
  const unfollow = document.defaultView ? followOtherTabs(auth.session, document.defaultView) : () => undefined;
  destroyed.onDestroy(() => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', check);
    unfollow();
  });
  await auth.session.restore();
  check();
}
