import type { ErrorType, User } from './api.js';
import type { RecordStore } from './record.js';
import type { KeyValueStorage } from './storage.js';

/** Under which name a native app's key chain has the session's secret. */
export const SECRET_KEY = 'markt_session_secret';

/** How far the record's time may lag, in milliseconds: as far as the service's own (`session.touch_interval`). */
const TOUCH_INTERVAL = 60_000;

/** What an app knows of its session. */
export type SessionState =
  /** The storage hasn't been read yet. */
  | { readonly status: 'unknown' }
  | { readonly status: 'logged-out' }
  | { readonly status: 'logged-in'; readonly user: User };

/** Why a session ended without the user's doing. */
export type EndReason =
  /** It wasn't used for too long, or had lasted for as long as any may. */
  | 'expired'
  /** It was ended from elsewhere: another device, a new password, an operator. */
  | 'revoked'
  /** The service doesn't know it, or not any more. */
  | 'not-authenticated';

/** What listeners are told, once for each session that ended. */
export interface SessionEnd {
  readonly reason: EndReason;
  /** Whose session it was. */
  readonly user: User;
}

/** Which secret a request was sent with: an answer counts only for that one. */
export type Mark = number & { readonly mark: unique symbol };

/** What a request has to carry. */
export interface Pass {
  readonly mark: Mark;
  readonly headers: Record<string, string>;
  readonly withCredentials: boolean;
}

/** Keeps what an app knows of its session, in memory and in its storage, and tells of changes. */
export class SessionKeeper {
  readonly #record: RecordStore;
  /** Where the secret is kept; `undefined` if that is the browser's affair. */
  readonly #secrets: KeyValueStorage | undefined;
  readonly #now: () => number;
  readonly #watchers = new Set<(state: SessionState) => void>();
  readonly #endWatchers = new Set<(end: SessionEnd) => void>();
  #state: SessionState = { status: 'unknown' };
  #secret: string | undefined;
  /** Counted up with each new secret, so that a late answer to an older one changes nothing. */
  #generation = 0;
  #leaving = false;
  #touched = 0;
  #restoring: Promise<void> | undefined;
  #written: Promise<unknown> = Promise.resolve();

  constructor(record: RecordStore, secrets: KeyValueStorage | undefined, now: () => number) {
    this.#record = record;
    this.#secrets = secrets;
    this.#now = now;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Calls this with each new state. Returns what stops it. */
  watch(watcher: (state: SessionState) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Calls this when the session has ended without the user's doing. Returns what stops it. */
  watchEnd(watcher: (end: SessionEnd) => void): () => void {
    this.#endWatchers.add(watcher);
    return () => this.#endWatchers.delete(watcher);
  }

  /** Reads the storage, the first time. */
  restore(): Promise<void> {
    this.#restoring ??= this.#read();
    return this.#restoring;
  }

  /** Reads the record again: another tab has changed it. */
  async reload(): Promise<void> {
    await this.restore();
    const user = await this.#record.read();
    if (user === undefined) return this.#forget();
    this.#generation += 1;
    this.#show({ status: 'logged-in', user });
  }

  /** What the next request has to carry. */
  async pass(): Promise<Pass> {
    await this.restore();
    const headers: Record<string, string> =
      this.#secret === undefined ? {} : { Authorization: `Bearer ${this.#secret}` };
    return { mark: this.#generation as Mark, headers, withCredentials: this.#secrets === undefined };
  }

  /** A session has begun. */
  begin(user: User, secret: string | undefined): void {
    this.#generation += 1;
    this.#leaving = false;
    this.#keep(secret);
    this.#remember(user);
  }

  /** The session has got a new secret: one that a native app keeps, or a cookie. */
  rotate(mark: Mark, secret: string | undefined): void {
    if (mark !== this.#generation) return;
    this.#generation += 1;
    if (secret !== undefined) this.#keep(secret);
  }

  /** The service has said whose session it is. */
  confirm(mark: Mark, user: User): void {
    if (mark === this.#generation && !this.#leaving) this.#remember(user);
  }

  /** The session was used. */
  touch(mark: Mark): void {
    const isDue = this.#now() - this.#touched >= TOUCH_INTERVAL;
    if (mark !== this.#generation || this.#leaving || this.#state.status !== 'logged-in' || !isDue) return;
    this.#writeRecord(this.#state.user);
  }

  /** The service has refused the session (401). Of all the requests that it refuses, the first one counts. */
  refuse(mark: Mark, errorType: ErrorType | undefined): void {
    if (mark !== this.#generation || this.#leaving) return;
    const before = this.#state;
    this.#forget();
    if (before.status !== 'logged-in') return;
    const end: SessionEnd = { reason: reason(errorType), user: before.user };
    for (const watcher of this.#endWatchers) watcher(end);
  }

  /** The user is about to log out: what is refused from now on is no news. */
  leave(): void {
    this.#leaving = true;
  }

  /** The user has not logged out after all. */
  stay(): void {
    this.#leaving = false;
  }

  /** The user has logged out. */
  end(): void {
    this.#forget();
  }

  /** Resolves when the storage has all that was to be written. */
  async settled(): Promise<void> {
    await this.#written;
  }

  async #read(): Promise<void> {
    const generation = this.#generation;
    const [user, secret] = await Promise.all([this.#record.read(), this.#readSecret()]);
    // Who has logged in meanwhile knows better.
    if (generation !== this.#generation) return;
    if (user === undefined || (this.#secrets !== undefined && secret === undefined)) return this.#forget();
    this.#secret = secret;
    this.#show({ status: 'logged-in', user });
  }

  async #readSecret(): Promise<string | undefined> {
    try {
      return (await this.#secrets?.getItem(SECRET_KEY)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  #remember(user: User): void {
    this.#writeRecord(user);
    this.#show({ status: 'logged-in', user });
  }

  #writeRecord(user: User): void {
    this.#touched = this.#now();
    this.#write(() => this.#record.write(user));
  }

  #keep(secret: string | undefined): void {
    this.#secret = secret;
    const secrets = this.#secrets;
    if (secrets === undefined) return;
    this.#write(() => (secret === undefined ? secrets.removeItem(SECRET_KEY) : secrets.setItem(SECRET_KEY, secret)));
  }

  #forget(): void {
    this.#generation += 1;
    this.#leaving = false;
    this.#keep(undefined);
    this.#write(() => this.#record.remove());
    this.#show({ status: 'logged-out' });
  }

  /** One after the other, as a slow write must not outdo a later one. A storage that fails costs the memory only. */
  #write(write: () => unknown): void {
    this.#written = this.#written.then(write).catch(() => undefined);
  }

  #show(state: SessionState): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher(state);
  }
}

function reason(errorType: ErrorType | undefined): EndReason {
  if (errorType === 'session_expired') return 'expired';
  return errorType === 'session_revoked' ? 'revoked' : 'not-authenticated';
}
