import { BUYER, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryStorage, RECORD_KEY } from '../src/index.js';
import { FRONT_END, page } from './clients.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ MARKT_CORS__ALLOWED_ORIGINS: FRONT_END });
});
afterAll(() => service.stop());

/** A page whose answers from this path are on the way until they are released. */
async function heldAt(path: string) {
  const { storage, fetch, session: first } = page(service);
  await first.login(BUYER);
  await first.settled();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = () => {};
  const answered = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const slow: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (String(input).endsWith(path)) {
      arrived();
      await held;
    }
    return response;
  };
  const { session, told } = page(service, { storage, fetch: slow });
  await session.restore();
  return { session, storage, told, release: () => release(), answered };
}

test('an answer that comes after the logout does not bring the session back', async () => {
  const { session, storage, release, answered } = await heldAt('/users/profile');
  const profile = session.profile();
  await answered;
  await session.logout();
  release();
  await profile;
  expect(session.state.status).toBe('logged-out');
  await session.settled();
  expect(await storage.getItem(RECORD_KEY)).toBeNull();
});

test('what is refused while the user logs out is no news', async () => {
  const { session, told, release, answered } = await heldAt('/users/logout');
  const logout = session.logout();
  await answered;
  await expect(session.profile()).rejects.toMatchObject({ status: 401 });
  release();
  await logout;
  expect(told.ends).toEqual([]);
  expect(session.state.status).toBe('logged-out');
});

test('a storage that is slow has the last word that was said', async () => {
  const fast = memoryStorage();
  let written = false;
  const storage = {
    ...fast,
    setItem: async (key: string, value: string) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      fast.setItem(key, value);
      written = true;
    },
  };
  const { session } = page(service, { storage });
  await session.login(BUYER);
  await session.logout();
  await session.settled();
  await expect.poll(() => written).toBe(true);
  expect(await storage.getItem(RECORD_KEY)).toBeNull();
});
