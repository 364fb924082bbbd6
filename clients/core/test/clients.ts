import { browserFetch, type Service } from '@markt/auth-testing';
import {
  fetchSend,
  type KeyValueStorage,
  machine,
  memoryStorage,
  SessionClient,
  type SessionEnd,
  type SessionState,
  type Surroundings,
} from '../src/index.js';

/** An origin whose pages may use the service in development. */
export const FRONT_END = 'http://localhost:4200';

/** A clock that only a test moves, and waits that are noted and over at once. */
export class TestTime implements Surroundings {
  #moved = 0;
  readonly waits: number[] = [];
  now = () => machine.now() + this.#moved;
  random = () => 0.5;
  sleep = async (milliseconds: number) => {
    this.waits.push(milliseconds);
  };
  advance(milliseconds: number): void {
    this.#moved += milliseconds;
  }
}

/** What a client told its watchers. */
export interface Told {
  states: SessionState[];
  ends: SessionEnd[];
}

/** A page's session; with the storage and the `fetch` of another, that of another page in the same browser. */
export function page(
  service: Pick<Service, 'url'>,
  { storage = memoryStorage(), fetch = browserFetch(FRONT_END), surroundings = machine as Surroundings } = {},
) {
  const send = fetchSend(fetch);
  const session = new SessionClient({ serviceUrl: service.url, transport: 'cookie', storage, send, surroundings });
  return { session, storage, fetch, told: watched(session) };
}

/** A native app's session. */
export function app(
  service: Pick<Service, 'url'>,
  {
    storage = memoryStorage(),
    secrets = memoryStorage() as KeyValueStorage,
    surroundings = machine as Surroundings,
    fetch = globalThis.fetch,
  } = {},
) {
  const send = fetchSend(fetch);
  const options = { serviceUrl: service.url, transport: 'bearer', storage, secrets, surroundings, send } as const;
  const session = new SessionClient(options);
  return { session, storage, secrets, told: watched(session) };
}

function watched(session: SessionClient): Told {
  const told: Told = { states: [], ends: [] };
  session.watch((state) => told.states.push(state));
  session.onEnd((end) => told.ends.push(end));
  return told;
}
