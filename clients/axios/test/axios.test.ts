import { machine, memoryStorage, type SessionEnd } from '@markt/auth-core';
import { BUYER, browserFetch, type Redis, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSession } from '../src/index.js';

const FRONT_END = 'http://localhost:8081';

let redis: Redis;
let service: Service;
beforeAll(async () => {
  ({ service, redis } = await Service.startOnRedis({ MARKT_CORS__ALLOWED_ORIGINS: FRONT_END }));
});
afterAll(() => service.stop());

/** A page's session: axios by `fetch`, with a browser's cookies. */
function page() {
  const axios = { adapter: 'fetch', env: { fetch: browserFetch(FRONT_END) } } as const;
  const created = createSession({ serviceUrl: service.url, transport: 'cookie', storage: memoryStorage(), axios });
  return { ...created, ends: endsOf(created.session) };
}

/** A native app's session: axios without a browser around it. */
function app(surroundings = machine) {
  const secrets = memoryStorage();
  const storage = memoryStorage();
  const created = createSession({ serviceUrl: service.url, transport: 'bearer', storage, secrets, surroundings });
  return { ...created, ends: endsOf(created.session) };
}

function endsOf(session: { onEnd: (watcher: (end: SessionEnd) => void) => unknown }): SessionEnd[] {
  const ends: SessionEnd[] = [];
  session.onEnd((end) => ends.push(end));
  return ends;
}

test.each([
  ['a page', page, 'cookie'],
  ['an app', app, 'bearer'],
])('%s sends the session with its own requests, by the transport that it has', async (_, start, transport) => {
  const { session, http } = start();
  await expect(http.get('/session')).rejects.toMatchObject({ response: { status: 401 } });
  await session.login(BUYER);
  expect((await http.get('/session')).data).toMatchObject({ transport });
  expect((await http.patch('/users/profile', { phone_number: '+491701234567' })).data.phone_number).toMatch(/^\+49/);
  await session.logout();
  await expect(http.get('/session')).rejects.toMatchObject({ response: { status: 401 } });
});

test.each([
  ['a page', page],
  ['an app', app],
])('%s is told once that its session has ended, by whichever of ten requests', async (_, start) => {
  const [thrownOut, other] = [start(), start()];
  await thrownOut.session.login(BUYER);
  await other.session.login(BUYER);
  await other.session.logOutOthers();
  const requests = Array.from({ length: 10 }, (_, number) =>
    number % 2 === 0 ? thrownOut.http.get('/users/profile') : thrownOut.session.devices(),
  );
  for (const refusal of await Promise.allSettled(requests)) expect(refusal.status).toBe('rejected');
  expect(thrownOut.ends).toMatchObject([{ reason: 'revoked', user: { email: BUYER.email } }]);
  expect(thrownOut.session.state.status).toBe('logged-out');
});

test("a refusal of the app's own request alone ends the session", async () => {
  const { session, http, ends } = app();
  await session.login(BUYER);
  const id = (await session.validate())?.id ?? '';
  expect((await service.command('sessions', 'revoke', id)).code).toBe(0);
  await expect(http.get('/users/profile')).rejects.toMatchObject({ response: { status: 401 } });
  expect(ends).toMatchObject([{ reason: 'revoked' }]);
});

test('while the store is away requests are sent again, and the session is kept', async () => {
  const { session, http, ends } = app();
  await session.login(BUYER);
  redis.freeze();
  const answer = http.get('/users/profile');
  setTimeout(() => redis.thaw(), 1500);
  expect((await answer).data).toMatchObject({ email: BUYER.email });
  expect(session.state.status).toBe('logged-in');
  expect(ends).toEqual([]);
});

test('a store that stays away is a 503 in the end, and what would be done twice is sent once', async () => {
  const waits: number[] = [];
  const sleep = async (milliseconds: number) => {
    waits.push(milliseconds);
  };
  const { session, http, ends } = app({ ...machine, sleep });
  await session.login(BUYER);
  redis.freeze();
  await expect(http.post('/users/switch-role')).rejects.toMatchObject({ response: { status: 503 } });
  expect(waits).toEqual([]);
  await expect(http.get('/users/profile')).rejects.toMatchObject({ response: { status: 503 } });
  expect(waits).toHaveLength(3);
  for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(1000);
  redis.thaw();
  await expect.poll(() => session.validate(), { timeout: 20_000 }).toBeDefined();
  expect(ends).toEqual([]);
});

test('the session does not go to strangers', async () => {
  const { session, http } = app();
  await session.login(BUYER);
  // Another service's answer shows what it was sent: none of ours.
  const stranger = await Service.start();
  try {
    const refusal = await http.get(`${stranger.url}/api/v1/session`).catch((error) => error);
    expect(refusal.response.data.error_type).toBe('not_authenticated');
    expect(refusal.config.headers.has('Authorization')).toBe(false);
    expect(session.state.status).toBe('logged-in');
  } finally {
    await stranger.stop();
  }
});
