import { computed, type Signal, signal } from '@angular/core';
import type { Credentials, SessionClient, SessionEnd, SessionState, User } from '@markt/auth-core';

/** The session, as signals. What isn't here is done by {@link session} itself. */
export class AuthService {
  readonly session: SessionClient;
  /** What is known of the session. */
  readonly state: Signal<SessionState>;
  /** Who is logged in. */
  readonly user: Signal<User | undefined>;
  readonly isLoggedIn: Signal<boolean>;
  /** How the last session ended, if it wasn't by the user's own doing. */
  readonly end: Signal<SessionEnd | undefined>;
  readonly #end = signal<SessionEnd | undefined>(undefined);

  constructor(session: SessionClient) {
    this.session = session;
    const state = signal(session.state);
    session.watch((next) => {
      state.set(next);
      if (next.status === 'logged-in') this.#end.set(undefined);
    });
    session.onEnd((end) => this.#end.set(end));
    this.state = state.asReadonly();
    this.end = this.#end.asReadonly();
    this.user = computed(() => {
      const known = this.state();
      return known.status === 'logged-in' ? known.user : undefined;
    });
    this.isLoggedIn = computed(() => this.user() !== undefined);
  }

  logIn(credentials: Credentials): Promise<User> {
    return this.session.login(credentials);
  }

  logOut(): Promise<void> {
    return this.session.logout();
  }
}
