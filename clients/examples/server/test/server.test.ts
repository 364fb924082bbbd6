import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BUYER, type Redis, Service } from '@markt/auth-testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callerOf, Unknown } from '../src/caller.js';
import { Job } from '../src/job.js';

let redis: Redis;
let service: Service;
let backend: Server;
let backendUrl: string;
beforeAll(async () => {
  ({ service, redis } = await Service.startOnRedis({ MARKT_SESSION__TOUCH_INTERVAL: '200ms' }));
  backend = createServer((request, response) => {
    callerOf(request, service.url).then(
      ({ cookies, ...caller }) => response.setHeader('Set-Cookie', cookies).end(JSON.stringify(caller)),
      (error: unknown) => {
        const { status, retryAfter } = error as Unknown;
        response.writeHead(status, retryAfter === undefined ? {} : { 'Retry-After': retryAfter }).end();
      },
    );
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
});
afterAll(async () => {
  backend.close();
  await service.stop();
});

async function secretOf(headers: Record<string, string> = {}): Promise<string> {
  const json = { 'Content-Type': 'application/json', 'X-Session-Transport': 'bearer' };
  const init = { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(BUYER) };
  const answer = await fetch(`${service.url}/api/v1/users/login`, init);
  return ((await answer.json()) as { token: string }).token;
}

test('a backend knows who calls, by the cookie and by the bearer', async () => {
  const secret = await secretOf();
  for (const headers of [{ Authorization: `Bearer ${secret}` }, { Cookie: `markt_session=${secret}` }]) {
    const answer = await fetch(backendUrl, { headers });
    expect(await answer.json()).toMatchObject({ username: 'buyer1', role: 'buyer', isFresh: true });
  }
});

test('who is not logged in is refused', async () => {
  expect((await fetch(backendUrl)).status).toBe(401);
});

test('a session is known in the browser that it began in, and refused in other hands', async () => {
  const browser = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
  const bearer = { Authorization: `Bearer ${await secretOf(browser)}` };
  expect((await fetch(backendUrl, { headers: { ...bearer, ...browser } })).status).toBe(200);
  expect((await fetch(backendUrl, { headers: bearer })).status).toBe(401);
});

test("the browser's cookie is kept alive by the backend", async () => {
  const json = { 'Content-Type': 'application/json', 'X-Session-Transport': 'cookie' };
  const login = { method: 'POST', headers: json, body: JSON.stringify(BUYER) };
  const cookie = (await fetch(`${service.url}/api/v1/users/login`, login)).headers.get('set-cookie');
  const headers = { Cookie: cookie?.split(';')[0] ?? '' };
  const renewed = async () => (await fetch(backendUrl, { headers })).headers.get('set-cookie') ?? '';
  await expect.poll(renewed, { timeout: 10_000, interval: 100 }).toMatch(/^markt_session=.*Max-Age=604800/);
});

test('an outage of the store is passed on as one', async () => {
  const headers = { Authorization: `Bearer ${await secretOf()}` };
  redis.freeze();
  try {
    const answer = await fetch(backendUrl, { headers });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  } finally {
    redis.thaw();
  }
  await expect.poll(async () => (await fetch(backendUrl, { headers })).status, { timeout: 20_000 }).toBe(200);
});

test('a service that is not there is an outage, too', async () => {
  const request = { headers: {} } as Parameters<typeof callerOf>[0];
  await expect(callerOf(request, 'http://127.0.0.1:9')).rejects.toMatchObject({ status: 503, retryAfter: '1' });
  await expect(callerOf(request, service.url)).rejects.toBeInstanceOf(Unknown);
});

test('a job logs in by itself, and again after its session was ended', async () => {
  const job = new Job(service.url, BUYER);
  const profile = async () => (await (await job.fetch('/users/profile')).json()) as { id: string; email: string };
  const { id, email } = await profile();
  expect(email).toBe(BUYER.email);
  await service.command('sessions', 'revoke', '--user', id);
  expect((await profile()).email).toBe(BUYER.email);
  await job.logOut();
});
