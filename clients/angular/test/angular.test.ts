// @vitest-environment jsdom
import '@angular/compiler';
import { HttpClient, provideHttpClient, withFetch, withInterceptors } from '@angular/common/http';
import { ApplicationInitStatus } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { BrowserTestingModule, platformBrowserTesting } from '@angular/platform-browser/testing';
import { type ActivatedRouteSnapshot, provideRouter, Router, type RouterStateSnapshot } from '@angular/router';
import { fetchSend, machine, memoryStorage, SessionClient } from '@markt/auth-core';
import { BUYER, browserFetch, type Redis, Service } from '@markt/auth-testing';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type AuthConfig, AuthService, provideAuth, sessionGuard, sessionInterceptor } from '../src/index.js';

const FRONT_END = 'http://localhost:4200';

let redis: Redis;
let service: Service;
beforeAll(async () => {
  TestBed.initTestEnvironment(BrowserTestingModule, platformBrowserTesting());
  ({ service, redis } = await Service.startOnRedis({ MARKT_CORS__ALLOWED_ORIGINS: FRONT_END }));
});
afterAll(() => service.stop());
beforeEach(() => {
  localStorage.clear();
  newBrowser();
});
afterEach(() => {
  redis.thaw();
  vi.unstubAllGlobals();
});

/** Without the cookies of the one before. */
function newBrowser(): void {
  vi.stubGlobal('fetch', browserFetch(FRONT_END));
}

/** The page, as if it had just been loaded: cookies and storage are those of the time before. */
async function loaded(config: Partial<AuthConfig> = {}) {
  TestBed.resetTestingModule();
  TestBed.configureTestingModule({
    providers: [
      provideHttpClient(withFetch(), withInterceptors([sessionInterceptor])),
      provideRouter([]),
      provideAuth({ serviceUrl: service.url, ...config }),
    ],
  });
  await TestBed.inject(ApplicationInitStatus).donePromise;
  const [auth, http, router] = [TestBed.inject(AuthService), TestBed.inject(HttpClient), TestBed.inject(Router)];
  const navigate = vi.spyOn(router, 'navigate').mockResolvedValue(true);
  const guard = () =>
    TestBed.runInInjectionContext(() =>
      sessionGuard({} as ActivatedRouteSnapshot, { url: '/devices' } as RouterStateSnapshot),
    );
  return { auth, http, navigate, guard };
}

/** The same user in another browser. */
async function otherBrowser(): Promise<SessionClient> {
  const send = fetchSend(browserFetch(FRONT_END));
  const storage = memoryStorage();
  const session = new SessionClient({ serviceUrl: service.url, transport: 'cookie', storage, send });
  await session.login(BUYER);
  return session;
}

test('signals show who is logged in, after a reload too', async () => {
  const { auth } = await loaded();
  expect([auth.isLoggedIn(), auth.user()]).toEqual([false, undefined]);
  await auth.logIn(BUYER);
  expect(auth.user()).toMatchObject({ email: BUYER.email });
  await auth.session.settled();

  const { auth: again } = await loaded();
  expect(again.user()).toMatchObject({ email: BUYER.email });
  await again.logOut();
  expect([again.isLoggedIn(), again.end()]).toEqual([false, undefined]);
});

test("the app's own requests carry the session", async () => {
  const { auth, http } = await loaded();
  await auth.logIn(BUYER);
  const path = `${service.url}/api/v1/users/profile`;
  expect(await firstValueFrom(http.get(path))).toMatchObject({ email: BUYER.email });
  expect(await firstValueFrom(http.patch(path, { phone_number: '+491701234567' }))).toMatchObject({
    phone_number: '+491701234567',
  });
});

test('whoever is thrown out is led to the login once, by whichever of ten requests', async () => {
  const { auth, http, navigate } = await loaded();
  await auth.logIn(BUYER);
  await (await otherBrowser()).logOutOthers();
  const profile = () => firstValueFrom(http.get(`${service.url}/api/v1/users/profile`));
  const requests = Array.from({ length: 10 }, (_, number) => (number % 2 === 0 ? profile() : auth.session.devices()));
  for (const refusal of await Promise.allSettled(requests)) expect(refusal.status).toBe('rejected');
  expect(navigate.mock.calls).toEqual([[['/login'], { queryParams: { returnUrl: '/' } }]]);
  expect(auth.end()).toMatchObject({ reason: 'revoked', user: { email: BUYER.email } });
  expect(auth.isLoggedIn()).toBe(false);
  await auth.logIn(BUYER);
  expect(auth.end()).toBeUndefined();
});

test("a refusal of the app's own request alone ends the session", async () => {
  const { auth, http } = await loaded();
  await auth.logIn(BUYER);
  await (await otherBrowser()).logOutOthers();
  await expect(firstValueFrom(http.get(`${service.url}/api/v1/users/profile`))).rejects.toMatchObject({ status: 401 });
  expect(auth.end()).toMatchObject({ reason: 'revoked' });
});

test('a page that is only looked at notices that it was thrown out', async () => {
  const { auth, navigate } = await loaded({ checkEvery: 50 });
  await auth.logIn(BUYER);
  await (await otherBrowser()).logOutOthers();
  await expect.poll(() => auth.isLoggedIn(), { timeout: 10_000 }).toBe(false);
  expect(navigate).toHaveBeenCalledTimes(1);
});

test('while the store is away requests are sent again, and nobody is led anywhere', async () => {
  const { auth, http, navigate } = await loaded();
  await auth.logIn(BUYER);
  redis.freeze();
  const profile = firstValueFrom(http.get(`${service.url}/api/v1/users/profile`));
  setTimeout(() => redis.thaw(), 1500);
  expect(await profile).toMatchObject({ email: BUYER.email });
  expect(auth.isLoggedIn()).toBe(true);
  expect(navigate).not.toHaveBeenCalled();
});

test('a store that stays away is a 503 in the end', async () => {
  const waits: number[] = [];
  const sleep = async (milliseconds: number) => {
    waits.push(milliseconds);
  };
  const { auth, http } = await loaded({ surroundings: { ...machine, sleep } });
  await auth.logIn(BUYER);
  redis.freeze();
  const profile = firstValueFrom(http.get(`${service.url}/api/v1/users/profile`));
  await expect(profile).rejects.toMatchObject({ status: 503 });
  expect(waits).toHaveLength(3);
  for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(1000);
  expect(auth.isLoggedIn()).toBe(true);
  redis.thaw();
  await expect.poll(() => auth.session.validate(), { timeout: 20_000 }).toBeDefined();
});

test('the guard lets in who is logged in, and leads others to the login and back', async () => {
  const { auth, guard } = await loaded();
  expect(String(await guard())).toBe('/login?returnUrl=%2Fdevices');
  await auth.logIn(BUYER);
  expect(await guard()).toBe(true);
});

test('the guard lets in whose record is gone, but not the cookie', async () => {
  const { auth } = await loaded();
  await auth.logIn(BUYER);
  await auth.session.settled();
  localStorage.clear();
  const { guard } = await loaded();
  expect(await guard()).toBe(true);
});
