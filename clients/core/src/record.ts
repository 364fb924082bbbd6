import type { User } from './api.js';
import type { KeyValueStorage } from './storage.js';

/** Under which name the record is kept. */
export const RECORD_KEY = 'markt_user_session';

/** For how long a record counts that nothing renews, in milliseconds: seven days, as long as the service's sessions. */
export const RECORD_MAX_AGE = 7 * 24 * 60 * 60 * 1000;

/** What an app remembers of its session, to show the user at once. It proves nothing: only the service can tell. */
interface SessionRecord {
  user: User;
  /** When the session was last used, in milliseconds since 1970. */
  timestamp: number;
}

/** The record in an app's storage. A storage that fails is as one that is empty: what it keeps can be asked for. */
export class RecordStore {
  readonly #storage: KeyValueStorage;
  readonly #now: () => number;
  readonly #maxAge: number;

  constructor(storage: KeyValueStorage, now: () => number, maxAge: number = RECORD_MAX_AGE) {
    this.#storage = storage;
    this.#now = now;
    this.#maxAge = maxAge;
  }

  /** Whose session it was, unless that is too long ago. */
  async read(): Promise<User | undefined> {
    try {
      const record = parsed(await this.#storage.getItem(RECORD_KEY));
      return record !== undefined && this.#now() - record.timestamp < this.#maxAge ? record.user : undefined;
    } catch {
      return undefined;
    }
  }

  async write(user: User): Promise<void> {
    const record: SessionRecord = { user, timestamp: this.#now() };
    await this.#storage.setItem(RECORD_KEY, JSON.stringify(record));
  }

  async remove(): Promise<void> {
    await this.#storage.removeItem(RECORD_KEY);
  }
}

/** Throws where the text is no JSON. */
function parsed(text: string | null): SessionRecord | undefined {
  const value: unknown = text === null ? null : JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { user, timestamp } = value as Partial<SessionRecord>;
  return typeof user?.id === 'string' && typeof timestamp === 'number' ? { user, timestamp } : undefined;
}
