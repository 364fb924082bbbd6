import type { AxiosSession } from '@markt/auth-axios';
import { ApiError, type Device, type EndReason, Unreachable, type User } from '@markt/auth-core';

/** What the app shows. */
export type Screen =
  | { name: 'splash' }
  | { name: 'login'; message?: string }
  | { name: 'home'; user: User; devices: Device[]; message?: string };

const GOODBYES: Record<EndReason, string> = {
  expired: 'You were away for a while. Please log in again.',
  revoked: 'You were logged out from another device.',
  'not-authenticated': 'Please log in again.',
};

/** The app without its pictures: a component shows `screen`, calls the methods, and is told by `changed`. */
export class App {
  screen: Screen = { name: 'splash' };
  readonly #session;
  readonly #http;
  readonly #changed: () => void;

  constructor({ session, http }: AxiosSession, changed: () => void) {
    this.#session = session;
    this.#http = http;
    this.#changed = changed;
    session.watch((state) => {
      if (state.status === 'logged-in') this.#home(state.user);
      if (state.status === 'logged-out') this.#show({ name: 'login' });
    });
    session.onEnd(({ reason }) => this.#show({ name: 'login', message: GOODBYES[reason] }));
  }

  /** At the start: who was logged in sees it at once, and the service is asked meanwhile. */
  async start(): Promise<void> {
    if ((await this.#session.restore()) !== undefined) await this.refresh();
  }

  async logIn(email: string, password: string): Promise<void> {
    await this.#try(() => this.#session.login({ email, password }).then(() => this.refresh()));
  }

  /** When the app comes to the front, too. */
  async refresh(): Promise<void> {
    await this.#try(async () => {
      const [devices] = await Promise.all([this.#session.devices(), this.#session.profile()]);
      if (this.screen.name === 'home') this.#show({ ...this.screen, devices });
    });
  }

  async setPhoneNumber(phone_number: string): Promise<void> {
    await this.#try(async () => {
      await this.#http.patch('/users/profile', { phone_number });
      await this.#session.profile();
    });
  }

  /** Asks for the password if it was given too long ago. */
  async logOutOthers(askPassword: () => Promise<string | undefined>): Promise<void> {
    await this.#try(async () => {
      if (!(await this.#session.ensureFresh(askPassword))) return;
      await this.#session.logOutOthers();
      await this.refresh();
    });
  }

  async logOut(): Promise<void> {
    await this.#try(() => this.#session.logout());
  }

  /** An outage is told, and ends nothing. A refused session has been told already. */
  async #try(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const isOutage = error instanceof Unreachable || (error instanceof ApiError && error.isOutage);
      if (isOutage) this.#say('No connection. What you see may be old.');
      else if (error instanceof ApiError && error.errorType !== undefined && !isEnd(error)) this.#say(error.message);
      else if (!(error instanceof ApiError)) throw error;
    }
  }

  #home(user: User): void {
    const devices = this.screen.name === 'home' ? this.screen.devices : [];
    this.#show({ name: 'home', user, devices });
  }

  #say(message: string): void {
    if (this.screen.name !== 'splash') this.#show({ ...this.screen, message });
  }

  #show(screen: Screen): void {
    this.screen = screen;
    this.#changed();
  }
}

const isEnd = (error: ApiError) => error.status === 401 && error.errorType !== 'invalid_credentials';
