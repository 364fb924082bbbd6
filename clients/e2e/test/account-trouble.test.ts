import { BOTH, type Keys, PASSWORD, Service } from '@markt/auth-testing';
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { AccountPage } from '../src/account.js';
import { LAPTOP, launch, newBrowser, picture } from '../src/browser.js';
import { forward, Site } from '../src/site.js';

let browser: Browser;
beforeAll(async () => {
  // Playwright has it off by default.
  browser = await launch({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
});
afterAll(() => browser?.close());

/** A service for one test, which is ended with it. */
async function start(keys: Keys = {}): Promise<Service> {
  const service = await Service.start(keys);
  onTestFinished(() => service.stop());
  return service;
}

async function newContext(options: BrowserContextOptions = LAPTOP): Promise<BrowserContext> {
  const context = await newBrowser(browser, options);
  onTestFinished(() => context.close());
  return context;
}

describe('an outage', () => {
  test('ends no session: the page stays, says so, and goes on by itself', async () => {
    const { service, redis } = await Service.startOnRedis();
    onTestFinished(() => service.stop());
    const account = await AccountPage.open(await newContext(), service);
    await account.enter();
    redis.freeze();
    await account.lookAgain();
    await account.says('The service can’t answer just now. Trying again…');
    expect(await account.email.textContent()).toBe(BOTH.email);
    await picture(account.page, 'account/trouble-outage');
    await account.changePassword(PASSWORD, 'Password456');
    await account.says('Please try again in a moment.');
    expect(await account.field('New password').inputValue()).toBe('Password456');

    redis.thaw();
    await account.page.getByText('Trying again…').waitFor({ state: 'hidden' });
    await account.title.waitFor();
    await account.button('Change password').click();
    await account.says('Your password is changed. No other devices are logged out.');
    expect(account.complaints).toEqual([]);
  });

  test('is waited out by a page that has just come, and by a login', async () => {
    const service = await start();
    const context = await newContext();
    const account = await AccountPage.open(context, service);
    await account.loginTitle.waitFor();
    await context.setOffline(true);
    await account.logIn();
    await account.says('The service can’t be reached. Please try again in a moment.');
    await context.setOffline(false);
    await account.enter();

    await context.route('**/api/v1/users/profile', (route) => route.abort());
    await account.page.reload();
    await account.says('Trying again…');
    expect(await account.loginTitle.isHidden()).toBe(true);
    await context.unroute('**/api/v1/users/profile');
    await account.title.waitFor();
  });

  test('asks again when the service said, and not before', async () => {
    const service = await start();
    const context = await newContext();
    const asked: number[] = [];
    await context.route('**/api/v1/users/profile', (route) => {
      asked.push(Date.now());
      const away = {
        status: 503,
        headers: { 'Retry-After': '3' },
        json: { error_type: 'overloaded', message: 'Busy' },
      };
      return asked.length === 1 ? route.fulfill(away) : route.continue();
    });
    const account = await AccountPage.open(context, service);
    await account.loginTitle.waitFor();
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThanOrEqual(3000);
  });
});

test('what something between here and the service refuses ends no session', async () => {
  const service = await start();
  const context = await newContext();
  const account = await AccountPage.open(context, service);
  await account.enter();
  await context.route('**/api/v1/users/profile', (route) => route.fulfill({ status: 403, body: 'Blocked' }));
  await account.lookAgain();
  await account.says('The service answered 403.');
  expect(await account.email.textContent()).toBe(BOTH.email);
  await context.unroute('**/api/v1/users/profile');
  await account.changePassword(PASSWORD, 'Password456');
  await account.says('Your password is changed.');
});

describe('a session that has ended', () => {
  test('by its age is told as such', async () => {
    const service = await start({ MARKT_SESSION__ABSOLUTE_TIMEOUT: '3s' });
    const account = await AccountPage.open(await newContext(), service);
    await account.page.getByLabel('Keep me logged in').uncheck();
    await account.enter();
    await account.page.waitForTimeout(3100);
    await account.button('Log out all others').waitFor({ state: 'hidden' });
    await account.changePassword(PASSWORD, 'Password456');
    await account.says('Your session has expired. Please log in again.');
    await picture(account.page, 'account/trouble-expired');
    expect(account.complaints).toEqual([]);
  });

  test('is not brought back by going back', async () => {
    const service = await start();
    const context = await newContext();
    const account = await AccountPage.open(context, service);
    await account.enter();
    await account.page.evaluate(() => {
      addEventListener('pageshow', (event) => {
        document.documentElement.dataset.restored = String(event.persisted);
        document.documentElement.dataset.seen = document.body.textContent;
      });
    });
    await account.page.goto(`${service.url}/swagger-ui/`);
    const tab = await AccountPage.open(context, service);
    await tab.title.waitFor();
    await tab.button('Log out').click();
    await tab.loginTitle.waitFor();
    await account.page.bringToFront();
    await account.page.goBack({ waitUntil: 'commit' });
    await account.loginTitle.waitFor();
    const { restored, seen } = await account.page.evaluate(() => ({ ...document.documentElement.dataset }));
    expect(restored, 'the page as it was left').toBe('true');
    expect(seen).not.toContain(BOTH.email);
    expect(await account.page.content()).not.toContain(BOTH.email);

    // A page that is loaded anew shows nothing either.
    await account.enter();
    await account.button('Log out').click();
    await account.loginTitle.waitFor();
    await account.page.goto(`${service.url}/swagger-ui/`);
    await account.page.goBack({ waitUntil: 'commit' });
    await account.loginTitle.waitFor();
  });
});

describe('a login', () => {
  test('that is refused for a while says for how long', async () => {
    const service = await start({ MARKT_LIMITS__LOGIN_PER_ACCOUNT: '1/15m' });
    const account = await AccountPage.open(await newContext(), service);
    await account.logIn('Password124');
    await account.says('Invalid credentials');
    await account.logIn('Password124');
    await account.says('Too many requests. Please try again in 15 minutes.');
    await picture(account.page, 'account/trouble-limited');
  });

  test('whose cookie the browser refuses says so', async () => {
    const service = await start({ MARKT_COOKIE__SECURE: 'true' });
    const url = `http://auth.markt.test:${service.port}/account`;
    const account = await AccountPage.open(await newContext(), service, url);
    await account.logIn();
    await account.says('Your browser didn’t keep the login');
    await picture(account.page, 'account/trouble-not-kept');
  });

  test('works by plain http, of whatever host', async () => {
    const service = await start();
    const url = `http://auth.markt.test:${service.port}/account`;
    const account = await AccountPage.open(await newContext(), service, url);
    await account.enter();
    await account.button('Log out').click();
    await account.says('You are logged out.');
  });

  test.each<[string, Keys]>([
    ['a cookie for this host alone', { MARKT_COOKIE__NAME: '__Host-session', MARKT_COOKIE__SECURE: 'true' }],
    ['a strict cookie', { MARKT_COOKIE__SAME_SITE: 'Strict', MARKT_COOKIE__NAME: 'other' }],
    ['a service that takes tokens, too', { MARKT_AUTH__MODE: 'dual' }],
    ['a service that hands out secrets to who asks', { MARKT_SESSION__BEARER: 'explicit' }],
  ])('works with %s', async (_, keys) => {
    const service = await start(keys);
    const account = await AccountPage.open(await newContext(), service);
    await account.enter();
    await account.page.reload();
    await account.title.waitFor();
    await account.changePassword(PASSWORD, 'Password456');
    await account.says('Your password is changed.');
    expect(account.complaints).toEqual([]);
  });

  test('works below another path, where a proxy has put the service', async () => {
    const service = await start();
    const site = await Site.start((request, response) => {
      const below = /^\/markt(\/.*)$/.exec(request.url ?? '')?.[1];
      if (below === undefined) return Promise.resolve(void response.writeHead(404).end());
      request.url = below;
      return Promise.resolve(forward(service.url, request, response));
    });
    onTestFinished(() => site.stop());
    const url = `http://localhost:${site.port}/markt/account`;
    const account = await AccountPage.open(await newContext(), service, url);
    await account.enter();
    await account.button('Log out').click();
    await account.says('You are logged out.');
    await account.page.getByRole('link', { name: 'HTTP API' }).click();
    await account.page.waitForURL(`http://localhost:${site.port}/markt/swagger-ui/`);
    expect(account.complaints).toEqual([]);
  });
});

test('two sessions at once lead to the login, which ends both', async () => {
  const service = await start();
  const context = await newContext();
  const account = await AccountPage.open(context, service);
  await account.enter();
  const [cookie] = await context.cookies();
  await context.clearCookies();
  await account.page.reload();
  await account.enter();
  // As two front ends may leave them behind: one cookie for the API alone.
  if (cookie !== undefined) await context.addCookies([{ ...cookie, path: '/api/v1' }]);
  await account.page.reload();
  await account.says('the secrets of two different sessions.');
  await account.enter();
  expect(await account.devices()).toEqual(['Chrome on Linux']);
});

test('who has no scripts is told that the page needs them', async () => {
  const service = await start();
  const context = await newContext({ javaScriptEnabled: false });
  const account = await AccountPage.open(context, service);
  expect(await account.page.locator('noscript').isVisible()).toBe(true);
  expect(await account.page.getByText('One moment…').isHidden()).toBe(true);
  expect(await account.loginTitle.isHidden()).toBe(true);
});

describe('what takes the password again', () => {
  test('asks for it, and can be left alone', async () => {
    const service = await start({ MARKT_SESSION__FRESH_FOR: '1s' });
    const phone = await AccountPage.open(await newContext(), service);
    await phone.enter();
    const account = await AccountPage.open(await newContext(), service);
    await account.enter();
    await account.page.waitForTimeout(1100);
    const others = account.page.locator('#devices').getByRole('button');
    await others.click();
    const dialog = account.page.getByRole('dialog', { name: 'Please give your password' });
    await dialog.waitFor();
    expect(await account.focused()).toBe('Password');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(await others.count()).toBe(1);
    expect(await account.focused()).toBe('Log out Chrome on Linux');

    await others.click();
    await dialog.getByLabel('Password', { exact: true }).fill('Password124');
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('Wrong password').waitFor();
    await picture(account.page, 'account/trouble-password-again');
    await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await account.page.keyboard.press('Enter');
    await account.says('Chrome on Linux is logged out.');
    expect(await others.count()).toBe(0);
    await phone.lookAgain();
    await phone.loginTitle.waitFor();
    expect([...account.complaints, ...phone.complaints]).toEqual([]);
  });
});

test('no page of another site can frame it', async () => {
  const service = await start();
  const site = await Site.start(async (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<iframe src="${service.url}/account"></iframe>`);
  });
  onTestFinished(() => site.stop());
  const page = await (await newContext()).newPage();
  const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'));
  await page.goto(`http://localhost:${site.port}/`);
  await refused;
});
