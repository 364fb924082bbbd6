import { BOTH } from '@markt/auth-testing';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, newBrowser, PHONE, picture } from '../src/browser.js';
import { CROSS_SITE, Deployment, HTTPS, type Plan, SAME_ORIGIN, SUBDOMAINS } from '../src/deployment.js';
import { logIn } from '../src/login.js';

const PLANS: [Plan, BrowserContextOptions][] = [
  [SUBDOMAINS, { colorScheme: 'light' }],
  [CROSS_SITE, { colorScheme: 'dark' }],
  [SAME_ORIGIN, { colorScheme: 'light' }],
  [HTTPS, { colorScheme: 'light', ignoreHTTPSErrors: true }],
];

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

/** Has a page's scripts keep what they are answered. */
function noteAnswers(): void {
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    const response = await fetch(...request);
    const answer = await response.clone().text();
    sessionStorage.setItem('answers', (sessionStorage.getItem('answers') ?? '') + answer);
    return response;
  };
}

const nameOf = (plan: Plan) => plan.keys.MARKT_COOKIE__NAME ?? 'markt_session';

describe.each(PLANS)('$name:', (plan, look) => {
  let deployment: Deployment;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    deployment = await Deployment.start(plan);
    context = await newBrowser(browser, look);
    await context.addInitScript(noteAnswers);
    page = await context.newPage();
  });
  afterAll(async () => {
    await context?.close();
    await deployment?.stop();
  });
  const shot = (name: string, of = page) => picture(of, `${plan.name}/${name}`);
  const secret = async () => (await context.cookies()).find(({ name }) => name === nameOf(plan))?.value ?? '';

  test('who is not logged in is led to the login, and a wrong password is refused', async () => {
    await page.goto(`${deployment.origin}/devices`);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await shot('01-login');
    await logIn(page, 'Password124');
    await page.getByText('Invalid credentials').waitFor();
    await shot('02-wrong-password');
  });

  test('a user logs in, and no script sees the secret', async () => {
    await logIn(page);
    await page.getByRole('heading', { name: 'Devices' }).waitFor();
    await page.getByRole('link', { name: 'Profile' }).click();
    await page.getByText(BOTH.email).waitFor();
    await shot('03-profile');

    expect(await secret()).toMatch(/^[\w-]{43}$/);
    const seen = await page.evaluate(() => {
      const storages = [localStorage, sessionStorage].map((storage) => JSON.stringify(storage));
      return [document.cookie, ...storages, sessionStorage.getItem('answers') ?? ''];
    });
    expect(seen[0]).toBe('');
    expect(seen[1]).toContain('markt_user_session');
    expect(seen[3]).toContain(BOTH.email);
    expect(seen.join()).not.toContain(await secret());
  });

  test('the doctor says of these logins what the browser did', async () => {
    const { code, login } = await deployment.doctor();
    // Cross-site, browsers don't agree.
    expect([code, login]).toEqual(plan === CROSS_SITE ? [0, 'differs'] : [0, 'yes']);
  });

  test('after a reload the user is still in', async () => {
    await page.reload();
    await page.getByText(BOTH.email).waitFor();
    await shot('04-reloaded');
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await page.getByText(BOTH.email).waitFor();
  });

  test('the user switches roles, which changes the secret', async () => {
    const before = await secret();
    await page.getByRole('button', { name: 'Act as seller' }).click();
    await page.locator('#role', { hasText: 'seller' }).waitFor();
    await shot('05-seller');
    expect(await secret()).not.toBe(before);
    await page.reload();
    await page.locator('#role', { hasText: 'seller' }).waitFor();
  });

  test('another browser is listed, is logged out from here, and is thrown out', async () => {
    const other = await newBrowser(browser, { ...PHONE, ...look });
    try {
      const phone = await other.newPage();
      await phone.goto(`${deployment.origin}/`);
      await logIn(phone);
      await phone.getByText(BOTH.email).waitFor();
      await shot('06-phone', phone);

      await page.getByRole('link', { name: 'Devices' }).click();
      await page.getByText('Chrome on Android').waitFor();
      await page.getByText('this one').waitFor();
      await shot('07-devices');
      await page.getByRole('button', { name: 'Log out Chrome on Android' }).click();
      await page.getByText('Chrome on Android').waitFor({ state: 'detached' });
      await shot('08-device-logged-out');

      await phone.getByText('You were logged out from another device.').waitFor();
      await shot('09-phone-thrown-out', phone);
    } finally {
      await other.close();
    }
  });

  test('the user logs out, in each of the tabs, and the secret is dead', async () => {
    const tab = await context.newPage();
    await tab.goto(`${deployment.origin}/`);
    await tab.getByText(BOTH.email).waitFor();
    const last = await secret();
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await shot('10-logged-out');
    await tab.getByRole('heading', { name: 'Log in' }).waitFor();

    expect(await secret()).toBe('');
    await page.reload();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    const headers = { Cookie: `${nameOf(plan)}=${last}` };
    expect((await fetch(`${deployment.service.url}/api/v1/session`, { headers })).status).toBe(401);
  });
});
