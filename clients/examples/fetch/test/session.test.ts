// @vitest-environment jsdom
import { BUYER, browserFetch, PASSWORD, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call, logIn, logOut, remembered, session } from '../src/session.js';

let service: Service;
let api: string;
beforeAll(async () => {
  service = await Service.start({ MARKT_CORS__ALLOWED_ORIGINS: 'http://localhost:3000' });
  api = `${service.url}/api/v1`;
  vi.stubGlobal('fetch', browserFetch('http://localhost:3000'));
});
afterAll(() => service.stop());

test('a page logs in, is remembered, and logs out', async () => {
  expect(remembered()).toBeUndefined();
  await expect(logIn(api, BUYER.email, 'Password124')).rejects.toMatchObject({ errorType: 'invalid_credentials' });
  await logIn(api, BUYER.email, PASSWORD);
  expect(remembered()).toMatchObject({ email: BUYER.email });
  expect(remembered()).not.toHaveProperty('token');
  expect(await session(api)).toMatchObject({ transport: 'cookie' });
  expect(await call(api, 'GET', '/users/sessions')).toMatchObject({ items: [{ current: true }] });
  await logOut(api);
  expect(remembered()).toBeUndefined();
  await expect(session(api)).rejects.toMatchObject({ status: 401 });
});

test('a refused session is forgotten, and one that nothing was heard of is not', async () => {
  const { id } = await logIn(api, BUYER.email, PASSWORD);
  await expect(call('http://127.0.0.1:9', 'GET', '/session')).rejects.toBeInstanceOf(TypeError);
  expect(remembered()).toMatchObject({ id });
  await service.command('sessions', 'revoke', '--user', id);
  await expect.poll(() => session(api).catch(({ errorType }) => errorType)).toBe('session_revoked');
  expect(remembered()).toBeUndefined();
});

test('what was remembered longer than a week ago is not', async () => {
  await logIn(api, BUYER.email, PASSWORD);
  const now = Date.now();
  vi.spyOn(Date, 'now').mockReturnValue(now + 7 * 24 * 60 * 60 * 1000 + 1000);
  expect(remembered()).toBeUndefined();
  vi.restoreAllMocks();
});
