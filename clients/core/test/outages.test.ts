import { BUYER, type Redis, Service } from '@markt/auth-testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiError, RECORD_KEY } from '../src/index.js';
import { app, FRONT_END, page, TestTime } from './clients.js';

let redis: Redis;
let service: Service;
beforeAll(async () => {
  ({ service, redis } = await Service.startOnRedis({ MARKT_CORS__ALLOWED_ORIGINS: FRONT_END }));
});
afterEach(() => redis.thaw());
afterAll(() => service.stop());

/** Waits until the service has noticed that Redis is back. */
async function recovered(session: { validate: () => Promise<unknown> }): Promise<void> {
  await expect.poll(() => session.validate(), { timeout: 20_000 }).toBeDefined();
}

test('while the store is away the session is kept, and the answer is awaited', async () => {
  const { session, storage, told } = page(service);
  await session.login(BUYER);
  await session.settled();
  redis.freeze();
  const profile = session.profile();
  setTimeout(() => redis.thaw(), 1500);
  expect(await profile).toMatchObject({ email: BUYER.email });
  expect(told.ends).toEqual([]);
  expect(await storage.getItem(RECORD_KEY)).not.toBeNull();
});

test('a store that stays away is an outage in the end, and the session is as it was', async () => {
  const time = new TestTime();
  const { session, storage, secrets, told } = app(service, { surroundings: time });
  await session.login(BUYER);
  await session.settled();
  redis.freeze();
  const refusal = await session.profile().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({ status: 503, errorType: 'store_unavailable', isOutage: true, retryAfter: 1000 });
  // Each of the three waits is at least the second that the service asked for.
  expect(time.waits).toEqual([1125, 1250, 1500]);
  expect(session.state.status).toBe('logged-in');
  await session.settled();
  expect(await storage.getItem(RECORD_KEY)).not.toBeNull();
  expect(await secrets.getItem('markt_session_secret')).not.toBeNull();
  redis.thaw();
  await recovered(session);
  expect(told.ends).toEqual([]);
});

test('a logout that the service cannot carry out is none', async () => {
  const time = new TestTime();
  const { session } = page(service, { surroundings: time });
  await session.login(BUYER);
  redis.freeze();
  await expect(session.logout()).rejects.toMatchObject({ status: 503 });
  expect(session.state.status).toBe('logged-in');
  redis.thaw();
  await recovered(session);
  await session.logout();
  expect(session.state.status).toBe('logged-out');
});

test('what would be done twice is not sent twice', async () => {
  const time = new TestTime();
  const { session } = page(service, { surroundings: time });
  await session.login(BUYER);
  redis.freeze();
  await expect(session.switchRole()).rejects.toMatchObject({ status: 503 });
  expect(time.waits).toEqual([]);
  redis.thaw();
  await recovered(session);
});
