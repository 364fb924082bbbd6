import { BOTH, BUYER, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError, memoryStorage, RECORD_KEY, Unreachable } from '../src/index.js';
import { app, FRONT_END, page } from './clients.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ MARKT_CORS__ALLOWED_ORIGINS: FRONT_END });
});
afterAll(() => service.stop());

test('a page logs in, is still in after a reload, and logs out', async () => {
  const first = page(service);
  expect(await first.session.restore()).toBeUndefined();
  const user = await first.session.login(BUYER);
  expect(user).toMatchObject({ email: BUYER.email, current_role: 'buyer' });
  await first.session.settled();

  const reloaded = page(service, first);
  expect(await reloaded.session.restore()).toEqual(user);
  expect(await reloaded.session.validate()).toMatchObject({ user_id: user.id, transport: 'cookie', fresh: true });
  expect(await reloaded.session.profile()).toMatchObject({ buyer_account: { buyername: 'Buyer buyer1' } });

  await reloaded.session.logout();
  expect(reloaded.session.state).toEqual({ status: 'logged-out' });
  expect(await page(service, first).session.validate()).toBeUndefined();
  expect(reloaded.told.ends).toEqual([]);
});

test('neither the record nor an answer has the secret of a page, nor the record an address', async () => {
  const answers: string[] = [];
  const { fetch, storage } = page(service);
  const noted: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    answers.push(await response.clone().text());
    return response;
  };
  const { session } = page(service, { storage, fetch: noted });
  await session.login(BUYER);
  await session.profile();
  await session.settled();
  expect(answers.join()).not.toMatch(/"token"/);
  const record = JSON.parse((await storage.getItem(RECORD_KEY)) ?? '');
  expect(Object.keys(record).sort()).toEqual(['timestamp', 'user']);
  expect(record.user).not.toHaveProperty('address');
  expect(record.user).not.toHaveProperty('token');
});

test('ten requests that are refused together clear and tell once', async () => {
  const [thrownOut, other] = [page(service), page(service)];
  await thrownOut.session.login(BUYER);
  await other.session.login(BUYER);
  await other.session.logOutOthers();

  const refusals = await Promise.allSettled(Array.from({ length: 10 }, () => thrownOut.session.profile()));
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ reason: { status: 401, errorType: 'session_revoked' } });
  }
  expect(thrownOut.told.ends).toEqual([{ reason: 'revoked', user: expect.objectContaining({ email: BUYER.email }) }]);
  expect(thrownOut.told.states.map((state) => state.status)).toEqual(['logged-out', 'logged-in', 'logged-out']);
  await thrownOut.session.settled();
  expect(await thrownOut.storage.getItem(RECORD_KEY)).toBeNull();
});

test('a refusal that comes late does not end the session that began meanwhile', async () => {
  const { fetch, storage, session: before } = page(service);
  await before.login(BUYER);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (String(input).endsWith('/profile')) await held;
    return response;
  };
  const { session, told } = page(service, { storage, fetch: slow });
  await session.restore();
  await before.logout();
  const late = session.profile();
  await session.login(BUYER);
  release();
  await expect(late).rejects.toMatchObject({ status: 401 });
  expect(told.ends).toEqual([]);
  expect(session.state.status).toBe('logged-in');
});

test('a wrong password ends no session', async () => {
  const { session, told } = page(service);
  await session.login(BUYER);
  await expect(session.login({ ...BUYER, password: 'Password124' })).rejects.toMatchObject({
    errorType: 'invalid_credentials',
  });
  await expect(session.reauthenticate('Password124')).rejects.toMatchObject({ errorType: 'wrong_password' });
  expect(session.state.status).toBe('logged-in');
  expect(told.ends).toEqual([]);
  expect(await session.validate()).toBeDefined();
});

test('who was never logged in is told of no end', async () => {
  const { session, told } = page(service);
  expect(await session.validate()).toBeUndefined();
  await expect(session.profile()).rejects.toBeInstanceOf(ApiError);
  expect(told.ends).toEqual([]);
});

test('an app keeps the secret in its key chain, and sends it itself', async () => {
  const first = app(service);
  const user = await first.session.login(BUYER);
  await first.session.settled();
  expect(JSON.stringify(await first.storage.getItem(RECORD_KEY))).not.toContain('token');
  const secret = await first.secrets.getItem('markt_session_secret');
  expect(secret).toMatch(/^[\w-]{43}$/);

  const restarted = app(service, first);
  expect(await restarted.session.restore()).toEqual(user);
  expect(await restarted.session.validate()).toMatchObject({ transport: 'bearer', fresh: true });

  await restarted.session.reauthenticate(BUYER.password);
  await restarted.session.settled();
  expect(await first.secrets.getItem('markt_session_secret')).not.toBe(secret);
  expect(await restarted.session.profile()).toMatchObject({ id: user.id });

  await restarted.session.logout();
  await restarted.session.settled();
  expect(await first.secrets.getItem('markt_session_secret')).toBeNull();
});

test('an app without its secret asks nobody who it is', async () => {
  const first = app(service);
  await first.session.login(BUYER);
  await first.session.settled();
  const { session } = app(service, { storage: first.storage, secrets: memoryStorage() });
  expect(await session.restore()).toBeUndefined();
});

test('switching roles changes the user, for the next reload too', async () => {
  const { session, storage, fetch } = page(service);
  await session.login(BOTH);
  const { current_role } = await session.switchRole();
  expect(session.state).toMatchObject({ status: 'logged-in', user: { current_role } });
  await session.settled();
  expect(await page(service, { storage, fetch }).session.restore()).toMatchObject({ current_role });
  await expect(session.profile()).resolves.toMatchObject({ current_role });
});

test('an app that switches roles goes on with its secret', async () => {
  const { session } = app(service);
  await session.login(BOTH);
  const { current_role } = await session.switchRole();
  await expect(session.profile()).resolves.toMatchObject({ current_role });
});

test('devices are listed, and ended one by one', async () => {
  const [mine, lost] = [page(service), page(service)];
  await mine.session.login(BOTH);
  await lost.session.login(BOTH);
  const lostId = (await lost.session.validate())?.id;
  const device = (await mine.session.devices()).find(({ id }) => id === lostId);
  expect(device).toMatchObject({ current: false, device: 'Firefox on Linux' });
  if (device === undefined) throw new Error('the other device is not listed');
  await mine.session.logOutDevice(device);
  await mine.session.logOutDevice(device);
  expect(await lost.session.validate()).toBeUndefined();
  expect(lost.told.ends).toMatchObject([{ reason: 'revoked' }]);

  const own = (await mine.session.devices()).find(({ current }) => current);
  if (own === undefined) throw new Error('this device is not listed');
  await mine.session.logOutDevice(own);
  expect(mine.session.state.status).toBe('logged-out');
  expect(mine.told.ends).toEqual([]);
});

test('another tab that logs out is noticed without a request', async () => {
  const one = page(service);
  const two = page(service, one);
  await one.session.login(BUYER);
  await one.session.settled();
  await two.session.reload();
  expect(two.session.state).toMatchObject({ status: 'logged-in', user: { email: BUYER.email } });
  await one.session.logout();
  await one.session.settled();
  await two.session.reload();
  expect(two.session.state.status).toBe('logged-out');
  expect(two.told.ends).toEqual([]);
});

test('a service that is not there ends no session', async () => {
  const { session, storage, fetch, told } = page(service);
  await session.login(BUYER);
  await session.settled();
  const nowhere = page({ url: 'http://127.0.0.1:9' }, { storage, fetch });
  await expect(nowhere.session.validate()).rejects.toBeInstanceOf(Unreachable);
  expect(nowhere.session.state.status).toBe('logged-in');
  expect(told.ends).toEqual([]);
});

test('a field that is wrong is named', async () => {
  const registration = { email: 'ann', username: 'a', password: 'short', account_type: 'buyer' } as const;
  const refusal = await page(service)
    .session.register(registration)
    .catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(Object.keys((refusal as ApiError).fields)).toEqual(expect.arrayContaining(['email', 'username', 'password']));
});

test('who registers is logged in', async () => {
  const { session } = page(service);
  const buyer_data = { buyername: 'Ann' };
  const email = 'ann@example.com';
  await session.register({ email, username: 'ann_lee', password: 'Password123', account_type: 'buyer', buyer_data });
  expect(await session.profile()).toMatchObject({ email, buyer_account: buyer_data });
});

test('a session goes only to the service, and where the app says', async () => {
  const { session } = app(service);
  await session.login(BUYER);
  const shop = 'https://shop.example.com/api';
  expect(await session.passFor(`${service.url}/api/v1/users/profile`)).toMatchObject({
    headers: { Authorization: expect.stringMatching(/^Bearer [\w-]{43}$/) },
  });
  expect(await session.passFor(`${shop}/orders`, [shop])).toBeDefined();
  for (const url of [`${shop}/orders`, `${service.url}.evil.example/`, `${service.url}0/`, 'https://evil.example/']) {
    expect(await session.passFor(url), url).toBeUndefined();
  }
});

test('where the service has the origin of the page, a session goes to that alone, however a URL is written', async () => {
  const { session } = page({ url: '' });
  expect(await session.passFor('/api/v1/users/profile')).toMatchObject({ withCredentials: true });
  const base = 'https://shop.example.com';
  for (const url of [
    '//evil.example/',
    '/\\evil.example/',
    '/\t/evil.example/',
    '/\n\\evil.example/',
    '/\r\n//evil.example/',
  ]) {
    // As a browser reads it.
    expect(new URL(url, base).host, url).toBe('evil.example');
    expect(await session.passFor(url), url).toBeUndefined();
  }
  for (const url of ['https://evil.example/', ' //evil.example/', '\\\\evil.example/']) {
    expect(await session.passFor(url), url).toBeUndefined();
  }
});
