import { PASSWORD, type Redis, Service } from '@markt/auth-testing';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AccountPage } from '../src/account.js';
import { launch, newBrowser, picture } from '../src/browser.js';

const WIDE = { width: 1000, height: 1200 };
/** WCAG 2.2, 1.4.10: as wide as 1280 pixels are at 400 %. */
const NARROW = { width: 320, height: 900 };

let browser: Browser;
let redis: Redis;
let service: Service;
beforeAll(async () => {
  browser = await launch();
  ({ service, redis } = await Service.startOnRedis({ MARKT_SESSION__FRESH_FOR: '2s' }));
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

describe.each([
  { colorScheme: 'light', size: 'wide', viewport: WIDE },
  { colorScheme: 'light', size: 'narrow', viewport: NARROW },
  { colorScheme: 'dark', size: 'wide', viewport: WIDE },
  { colorScheme: 'dark', size: 'narrow', viewport: NARROW },
] as const)('$colorScheme and $size', ({ colorScheme, size, viewport }) => {
  test('every view is for everybody, and fits', async () => {
    const other = await AccountPage.open(await newBrowser(browser), service);
    await other.enter();
    const context = await newBrowser(browser, { colorScheme, viewport });
    const account = await AccountPage.open(context, service);
    const { page } = account;
    const look = async (name: string) => {
      await account.assertAccessible();
      await picture(page, `account/views/${colorScheme}-${size}-${name}`);
    };

    await account.loginTitle.waitFor();
    await look('1-login');
    await account.logIn('', 'nobody');
    await page.getByText('Not a valid email address.').waitFor();
    await look('2-wrong-field');
    await account.logIn('Password124');
    await account.says('Invalid credentials');
    await page.getByRole('button', { name: 'Show password' }).click();
    await look('3-wrong-password');

    await account.enter();
    await page.getByText('Details').first().click();
    await look('4-account');
    await account.button('Log out all others').click();
    await account.dialog.waitFor();
    await look('5-asked');
    await page.waitForTimeout(2000);
    await account.dialog.getByRole('button', { name: 'Log out all others' }).click();
    await page.getByRole('heading', { name: 'Please give your password' }).waitFor();
    await account.dialog.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Wrong password').waitFor();
    await look('6-password-again');
    await account.dialog.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.keyboard.press('Enter');
    await account.says('logged out.');
    await account.changePassword('Password124', 'short');
    await page.getByText('Password must be at least 8 characters long.').waitFor();
    await look('7-refused');

    redis.freeze();
    await account.lookAgain();
    await account.says('Trying again…');
    await look('8-outage');
    redis.thaw();
    await page.getByText('Trying again…').waitFor({ state: 'hidden' });
    await account.button('Log out').click();
    await account.says('You are logged out.');
    await look('9-logged-out');
    expect(account.complaints).toEqual([]);
    await context.close();
  });
});

test('everything can be done by keyboard', async () => {
  const other = await AccountPage.open(await newBrowser(browser), service);
  await other.enter();
  const account = await AccountPage.open(await newBrowser(browser), service);
  const { keyboard } = account.page;
  /** Goes on by the tab key to what has this name. */
  const tabTo = async (name: string) => {
    for (let steps = 0; steps < 20 && (await account.focused()) !== name; steps += 1) await keyboard.press('Tab');
    expect(await account.focused()).toBe(name);
    const outline = await account.page.evaluate(
      () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
    );
    expect(outline, `the focus on ${name} has to be seen`).toBe('solid');
  };
  await account.loginTitle.waitFor();
  expect(await account.focused()).toBe('E-mail address');
  await keyboard.type('both1@markt.com');
  await tabTo('Password');
  await keyboard.type(PASSWORD);
  await tabTo('Show password');
  await keyboard.press('Space');
  expect(await account.field('Password').getAttribute('type')).toBe('text');
  await tabTo('Keep me logged in on this device');
  await tabTo('Log in');
  await keyboard.press('Enter');
  await account.title.waitFor();

  await tabTo('Details');
  await keyboard.press('Enter');
  await account.page.getByText('Browser or app').first().waitFor();
  await tabTo('Log out all others');
  await keyboard.press('Enter');
  await account.dialog.waitFor();
  // Nothing behind the dialog gets the focus.
  for (let steps = 0; steps < 5; steps += 1) {
    await keyboard.press('Tab');
    const isWithin = await account.page.evaluate(() => {
      const { activeElement, body } = document;
      return activeElement === body || activeElement?.closest('dialog') !== null;
    });
    expect(isWithin).toBe(true);
  }
  await keyboard.press('Escape');
  await tabTo('Log out all others');
  await tabTo('Current password');
  await keyboard.type(PASSWORD);
  await tabTo('New password');
  await keyboard.type('Password456');
  await keyboard.press('Enter');
  await account.says('Your password is changed.');
  for (let steps = 0; steps < 20 && (await account.focused()) !== 'Log out'; steps += 1)
    await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await account.says('You are logged out.');
  expect(account.complaints).toEqual([]);
});

test('motion and contrast are as the user wants them', async () => {
  const context = await newBrowser(browser, { reducedMotion: 'reduce', contrast: 'more', forcedColors: 'active' });
  const account = await AccountPage.open(context, service);
  await account.loginTitle.waitFor();
  const transition = await account.button('Log in').evaluate((button) => getComputedStyle(button).transitionDuration);
  expect(transition).toBe('0s');
  await picture(account.page, 'account/views/forced-colors');
});
