import { BUYER, PASSWORD, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryStorage, RECORD_KEY, RECORD_MAX_AGE } from '../src/index.js';
import { app, FRONT_END, page, TestTime } from './clients.js';

/** The service's clock is the machine's, so what ends by itself has to end soon. */
const LIFETIME = { MARKT_SESSION__IDLE_TIMEOUT: '1s', MARKT_SESSION__ROTATION_GRACE: '100ms' } as const;

let lasting: Service;
let fleeting: Service;
let stale: Service;
beforeAll(async () => {
  const origins = { MARKT_CORS__ALLOWED_ORIGINS: FRONT_END };
  [lasting, fleeting, stale] = await Promise.all([
    Service.start(origins),
    Service.start({ ...origins, ...LIFETIME }),
    Service.start({ ...origins, MARKT_SESSION__FRESH_FOR: '1s' }),
  ]);
});
afterAll(() => Promise.all([lasting, fleeting, stale].map((service) => service.stop())));

test('a session that has expired is told from one that was revoked', async () => {
  const { session, told } = app(fleeting);
  await session.login(BUYER);
  await expect.poll(() => session.validate(), { timeout: 10_000, interval: 200 }).toBeUndefined();
  expect(told.ends).toMatchObject([{ reason: 'expired', user: { email: BUYER.email } }]);

  const { session: other, told: toldOther } = app(lasting);
  await other.login(BUYER);
  const id = (await other.validate())?.id ?? '';
  expect((await lasting.command('sessions', 'revoke', id)).code).toBe(0);
  await expect.poll(() => other.validate(), { timeout: 10_000 }).toBeUndefined();
  expect(toldOther.ends).toMatchObject([{ reason: 'revoked' }]);
});

test('a record counts for seven days after the last use, and not a moment longer', async () => {
  const time = new TestTime();
  const first = page(lasting, { surroundings: time });
  const user = await first.session.login(BUYER);
  time.advance(RECORD_MAX_AGE - 10_000);
  await first.session.profile();
  await first.session.settled();

  time.advance(RECORD_MAX_AGE - 10_000);
  const again = () => page(lasting, { storage: first.storage, surroundings: time }).session;
  expect(await again().restore()).toEqual(user);
  time.advance(20_000);
  const expired = again();
  expect(await expired.restore()).toBeUndefined();
  await expired.settled();
  expect(await first.storage.getItem(RECORD_KEY)).toBeNull();
});

test('looking at the session does not prolong the record', async () => {
  const time = new TestTime();
  const { session, storage } = page(lasting, { surroundings: time });
  await session.login(BUYER);
  await session.settled();
  const record = await storage.getItem(RECORD_KEY);
  time.advance(RECORD_MAX_AGE / 2);
  await session.validate();
  await session.settled();
  expect(await storage.getItem(RECORD_KEY)).toBe(record);
  await session.devices();
  await session.settled();
  expect(await storage.getItem(RECORD_KEY)).not.toBe(record);
});

test('an app whose record has expired has no secret any more', async () => {
  const time = new TestTime();
  const first = app(lasting, { surroundings: time });
  await first.session.login(BUYER);
  await first.session.settled();
  time.advance(RECORD_MAX_AGE);
  const restarted = app(lasting, { ...first, surroundings: time });
  expect(await restarted.session.restore()).toBeUndefined();
  await restarted.session.settled();
  expect(await first.secrets.getItem('markt_session_secret')).toBeNull();
});

test('a page whose record is gone is still logged in by its cookie', async () => {
  const { session, fetch } = page(lasting);
  const user = await session.login(BUYER);
  const { session: other } = page(lasting, { fetch });
  expect(await other.validate()).toMatchObject({ user_id: user.id });
  expect(other.state).toMatchObject({ status: 'logged-in', user: { id: user.id } });
});

test('a record that nobody can read is as none, and so is a storage that fails', async () => {
  for (const text of ['', '{', 'null', '[]', '{"user":null,"timestamp":1}', '{"user":{"id":1},"timestamp":"1"}']) {
    const storage = memoryStorage();
    storage.setItem(RECORD_KEY, text);
    expect(await page(lasting, { storage }).session.restore(), text).toBeUndefined();
  }
  const fail = () => {
    throw new Error('SecurityError');
  };
  const { session } = page(lasting, { storage: { getItem: fail, setItem: fail, removeItem: fail } });
  await session.login(BUYER);
  expect(await session.profile()).toMatchObject({ email: BUYER.email });
});

test('the password is asked for when it was given too long ago, and only then', async () => {
  const [mine, other] = [page(stale), page(stale)];
  let asked = 0;
  const ask = async () => {
    asked += 1;
    return PASSWORD;
  };
  await other.session.login(BUYER);
  await mine.session.login(BUYER);
  expect(await mine.session.ensureFresh(ask)).toBe(true);
  expect(asked).toBe(0);

  await expect.poll(async () => (await mine.session.validate())?.fresh, { timeout: 10_000 }).toBe(false);
  await expect(mine.session.logOutOthers()).rejects.toMatchObject({ errorType: 'reauthentication_required' });
  expect(await mine.session.ensureFresh(async () => undefined)).toBe(false);
  expect(await mine.session.ensureFresh(ask)).toBe(true);
  expect(asked).toBe(1);
  expect(await mine.session.logOutOthers()).toBe(1);
  expect(mine.told.ends).toEqual([]);
});
