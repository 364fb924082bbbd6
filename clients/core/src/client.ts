import type {
  Answer,
  Credentials,
  Device,
  ErrorType,
  Method,
  Path,
  Profile,
  Registration,
  RequestBody,
  Session,
  Switched,
  User,
} from './api.js';
import { ApiError, errorBody, Unreachable } from './errors.js';
import { fetchSend } from './fetch.js';
import { type Pass, type SessionEnd, SessionKeeper, type SessionState } from './keeper.js';
import { RecordStore } from './record.js';
import { DEFAULT_RETRY, isRepeatable, machine, type RetryPolicy, retryDelay, type Surroundings } from './retry.js';
import type { KeyValueStorage } from './storage.js';
import type { Send, WireRequest, WireResponse } from './wire.js';

/** The header by which a client says how it will keep its secret. */
const TRANSPORT_HEADER = 'X-Session-Transport';

/** What a session needs of the app that it is for. */
export type SessionOptions = {
  /** Where the service is, without a path: `https://auth.example.com`. Empty if it has the page's own origin. */
  serviceUrl: string;
  /** Where the user is remembered. Not the secret. */
  storage: KeyValueStorage;
  /** For how long the user is remembered without any contact, in milliseconds; seven days without this. */
  maxAge?: number;
  /** What sends requests; `fetch` without this. */
  send?: Send;
  retry?: RetryPolicy;
  surroundings?: Surroundings;
} & (
  | { /** A browser keeps the secret as a cookie that no script can read. */ transport: 'cookie' }
  | {
      /** The app keeps the secret itself. */
      transport: 'bearer';
      /** Where: the system's key chain. */
      secrets: KeyValueStorage;
    }
);

interface CallOptions<M extends Method, P extends Path<M>> {
  body?: RequestBody<M, P>;
  /** What stands in the path's braces. */
  id?: string;
  query?: string;
  headers?: Record<string, string>;
  /** Whether it does no harm to send it twice. */
  repeatable?: boolean;
}

/** A user's session with the service: everything that an app does with it. */
export class SessionClient {
  readonly transport: 'cookie' | 'bearer';
  readonly #serviceUrl: string;
  readonly #send: Send;
  readonly #retry: RetryPolicy;
  readonly #surroundings: Surroundings;
  readonly #keeper: SessionKeeper;

  constructor(options: SessionOptions) {
    this.transport = options.transport;
    this.#serviceUrl = options.serviceUrl.replace(/\/+$/, '');
    this.#send = options.send ?? fetchSend();
    this.#retry = options.retry ?? DEFAULT_RETRY;
    this.#surroundings = options.surroundings ?? machine;
    const { now } = this.#surroundings;
    const record = new RecordStore(options.storage, now, options.maxAge);
    this.#keeper = new SessionKeeper(record, options.transport === 'bearer' ? options.secrets : undefined, now);
  }

  /** What is known of the session. */
  get state(): SessionState {
    return this.#keeper.state;
  }

  /** Calls this with each new state. Returns what stops it. */
  watch(watcher: (state: SessionState) => void): () => void {
    return this.#keeper.watch(watcher);
  }

  /** Calls this, once for each session, when the service has refused it. Returns what stops it. */
  onEnd(watcher: (end: SessionEnd) => void): () => void {
    return this.#keeper.watchEnd(watcher);
  }

  /** Reads what was remembered, and asks nobody: for the first picture. Follow it by {@link validate}. */
  async restore(): Promise<User | undefined> {
    await this.#keeper.restore();
    return this.state.status === 'logged-in' ? this.state.user : undefined;
  }

  /** Reads what is remembered again, after another tab has changed it. */
  reload(): Promise<void> {
    return this.#keeper.reload();
  }

  /** Resolves when the storage has all that was to be written. */
  settled(): Promise<void> {
    return this.#keeper.settled();
  }

  /**
   * Asks the service for the session, without prolonging it: at the start, and before anything sensitive. `undefined` if
   * there is none. Rejects if the service can't tell just now; then the session is as it was.
   */
  async validate(): Promise<Session | undefined> {
    await this.#keeper.restore();
    try {
      const { answer } = await this.#call('get', '/api/v1/session', { query: '?touch=false' });
      if (this.state.status !== 'logged-in') await this.profile();
      return answer;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return undefined;
      throw error;
    }
  }

  /**
   * Makes sure that the password was given a short while ago, as ending other devices needs it. Asks for it only if
   * need be; whoever is asked may answer `undefined`. Returns whether the session is fresh now.
   */
  async ensureFresh(askPassword: () => Promise<string | undefined>): Promise<boolean> {
    const session = await this.validate();
    if (session === undefined || session.fresh) return session !== undefined;
    const password = await askPassword();
    if (password === undefined) return false;
    await this.reauthenticate(password);
    return true;
  }

  async login(credentials: Credentials): Promise<User> {
    const options = { body: credentials, headers: this.#transportHeader(), repeatable: true };
    const { answer } = await this.#call('post', '/api/v1/users/login', options);
    return this.#begin(answer);
  }

  /** Registers, which logs in. */
  async register(registration: Registration): Promise<User> {
    const options = { body: registration, headers: this.#transportHeader() };
    const { answer } = await this.#call('post', '/api/v1/users/register', options);
    return this.#begin(answer);
  }

  /** Ends the session, or all of the user's. If the service can't do it just now, that fails, and the session goes on. */
  async logout({ everywhere = false } = {}): Promise<void> {
    this.#keeper.leave();
    try {
      await this.#call('post', '/api/v1/users/logout', {
        query: everywhere ? '?everywhere=true' : '',
        repeatable: true,
      });
    } catch (error) {
      // Somebody else was faster.
      const isGone = error instanceof ApiError && error.status === 401;
      if (!isGone) {
        this.#keeper.stay();
        throw error;
      }
    }
    this.#keeper.end();
  }

  async profile(): Promise<Profile> {
    const { answer, pass } = await this.#call('get', '/api/v1/users/profile');
    this.#keeper.confirm(pass.mark, userOf(answer));
    return answer;
  }

  /** Acts in the user's other role. */
  async switchRole(): Promise<Switched> {
    const { answer, pass } = await this.#call('post', '/api/v1/users/switch-role');
    this.#keeper.confirm(pass.mark, answer.user);
    this.#keeper.rotate(pass.mark, answer.token ?? undefined);
    return answer;
  }

  /** The user's sessions, the one that was used last first. */
  async devices(): Promise<Device[]> {
    const { answer } = await this.#call('get', '/api/v1/users/sessions');
    return answer.items;
  }

  /** Ends one of the user's sessions. Another than this one takes a fresh session: see {@link ensureFresh}. */
  async logOutDevice(device: Pick<Device, 'id' | 'current'>): Promise<void> {
    if (device.current) return this.logout();
    try {
      await this.#call('delete', '/api/v1/users/sessions/{id}', { id: device.id });
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  /** Ends all of the user's sessions but this one, and says how many. Takes a fresh session: see {@link ensureFresh}. */
  async logOutOthers(): Promise<number> {
    const { answer } = await this.#call('delete', '/api/v1/users/sessions');
    return answer.revoked;
  }

  /** Gives the password again, which makes the session fresh. */
  async reauthenticate(password: string): Promise<Session> {
    const { answer, pass } = await this.#call('post', '/api/v1/users/reauthenticate', { body: { password } });
    this.#keeper.rotate(pass.mark, answer.token ?? undefined);
    return answer;
  }

  /** Changes the password, which ends all of the user's other sessions. */
  async changePassword(current: string, next: string): Promise<void> {
    const body = { current_password: current, new_password: next };
    const { answer, pass } = await this.#call('post', '/api/v1/users/password', { body });
    this.#keeper.rotate(pass.mark, answer.token ?? undefined);
  }

  /** What an app's own request to this URL has to carry; `undefined` if the session is none of that URL's business. */
  async passFor(url: string, alsoFor: readonly string[] = []): Promise<Pass | undefined> {
    return [this.#serviceUrl, ...alsoFor].some((known) => isBelow(url, known)) ? this.#keeper.pass() : undefined;
  }

  /** Takes notice of what such a request was answered. */
  observe(pass: Pass, status: number, body: unknown): void {
    this.#observe(pass, status, errorBody(body)?.error_type, true);
  }

  /** How long to wait before such a request is sent again; `undefined` if it is not to be. */
  retryDelay(refused: { status: number; retryAfter: string | null; attempts: number }): number | undefined {
    return retryDelay(this.#retry, this.#surroundings, refused);
  }

  /** Waits for so many milliseconds. */
  sleep(milliseconds: number): Promise<void> {
    return this.#surroundings.sleep(milliseconds);
  }

  async #call<M extends Method, P extends Path<M>>(
    method: M,
    path: P,
    { body, id = '', query = '', headers = {}, repeatable = isRepeatable(method) }: CallOptions<M, P> = {},
  ): Promise<{ answer: Answer<M, P>; pass: Pass }> {
    const url = this.#serviceUrl + path.replace('{id}', encodeURIComponent(id)) + query;
    for (let attempts = 1; ; attempts += 1) {
      const pass = await this.#keeper.pass();
      const request: WireRequest = {
        method: method.toUpperCase() as WireRequest['method'],
        url,
        headers: { ...headers, ...pass.headers },
        ...(body === undefined ? {} : { body }),
        withCredentials: pass.withCredentials,
      };
      const response = await this.#sent(request);
      const { status, retryAfter } = response;
      this.#observe(pass, status, errorBody(response.body)?.error_type, !query.includes('touch=false'));
      if (status >= 200 && status < 300) return { answer: response.body as Answer<M, P>, pass };
      const delay = repeatable ? this.retryDelay({ status, retryAfter, attempts }) : undefined;
      if (delay === undefined) throw new ApiError(response, this.#surroundings.now());
      await this.sleep(delay);
    }
  }

  async #sent(request: WireRequest): Promise<WireResponse> {
    try {
      return await this.#send(request);
    } catch (error) {
      throw new Unreachable(error);
    }
  }

  /** A 401 says that there is no session, unless it says that a password was wrong. No other status says so. */
  #observe(pass: Pass, status: number, errorType: ErrorType | undefined, isUse: boolean): void {
    if (status === 401 && errorType !== 'invalid_credentials') this.#keeper.refuse(pass.mark, errorType);
    if (status >= 200 && status < 300 && isUse) this.#keeper.touch(pass.mark);
  }

  #transportHeader(): Record<string, string> {
    return { [TRANSPORT_HEADER]: this.transport };
  }

  #begin(answer: User & { token?: string | null }): User {
    const secret = this.transport === 'bearer' ? answer.token : undefined;
    if (secret === null || (this.transport === 'bearer' && secret === undefined)) {
      throw new Error('The service hands out no secrets (session.bearer = off)');
    }
    const user = userOf(answer);
    this.#keeper.begin(user, secret);
    return user;
  }
}

/** The user alone: neither secrets nor addresses belong into an app's storage. */
function userOf(answer: User): User {
  const { id, email, username, is_buyer, is_seller, email_verified, current_role, created_at, updated_at } = answer;
  const { phone_number, profile_picture, profile_picture_url, last_login_at } = answer;
  const account = { id, email, username, is_buyer, is_seller, email_verified, current_role, created_at, updated_at };
  return { ...account, phone_number, profile_picture, profile_picture_url, last_login_at };
}

/** A path of the page's own origin. Browsers read `\` as `/`, and pass over tabs and line breaks: `/\host` has a host. */
const OWN_PATH = /^\/(?![/\\\t\n\r])/;

/** Whether the URL is this one's, or below it. A path is the page's own. */
function isBelow(url: string, known: string): boolean {
  if (known === '') return OWN_PATH.test(url);
  return url === known || url.startsWith(known.endsWith('/') ? known : `${known}/`);
}
