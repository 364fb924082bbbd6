import { BOTH, BUYER, PASSWORD, Service } from '@markt/auth-testing';
import type { Browser, BrowserContext, BrowserContextOptions, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AccountPage } from '../src/account.js';
import { LAPTOP, launch, newBrowser, PHONE, picture } from '../src/browser.js';

const NEW_PASSWORD = 'Password456';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

const contexts: BrowserContext[] = [];
const newContext = async (options: BrowserContextOptions = LAPTOP) => {
  const context = await newBrowser(browser, options);
  contexts.push(context);
  return context;
};
afterAll(async () => {
  for (const context of contexts) await context.close();
});

describe('a user', () => {
  let service: Service;
  let context: BrowserContext;
  let account: AccountPage;
  let phone: AccountPage;
  beforeAll(async () => {
    service = await Service.start();
    context = await newContext();
    account = await AccountPage.open(context, service);
    phone = await AccountPage.open(await newContext(PHONE), service);
  });
  afterAll(() => service?.stop());
  afterEach(() => {
    expect([...account.complaints, ...phone.complaints]).toEqual([]);
  });
  const shot = (name: string, of = account) => picture(of.page, `account/${name}`);

  test('is told beside each field what is wrong with it, and of a wrong password', async () => {
    await account.loginTitle.waitFor();
    await account.logIn('', 'nobody');
    await account.page.getByText('Not a valid email address.').waitFor();
    expect(await account.focused()).toBe('E-mail address');
    await account.logIn('Password124');
    await account.says('Invalid credentials');
    expect(await account.page.getByText('Not a valid email address.').count()).toBe(0);
    await shot('01-wrong-password');
  });

  test('logs in, sees who is logged in, and still does after a reload', async () => {
    const answers: Promise<string>[] = [];
    account.page.on('response', (response) => answers.push(response.text().catch(() => '')));
    await account.enter();
    expect(await account.focused()).toBe('Your account');
    expect(await account.email.textContent()).toBe(BOTH.email);
    await shot('02-logged-in');
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: 'markt_session', httpOnly: true });
    const seen = (await Promise.all(answers)).join('');
    expect(seen).toContain(BOTH.email);
    expect(seen).not.toContain(cookie?.value);
    await account.page.reload();
    await account.title.waitFor();
    expect(await account.email.textContent()).toBe(BOTH.email);
  });

  test('sees another device, logs it out, and it is thrown out', async () => {
    await phone.enter();
    await account.lookAgain();
    await account.button('Log out Chrome on Android').waitFor();
    expect(await account.devices()).toEqual(['Chrome on Linux', 'Chrome on Android']);
    const details = account.page.locator('#devices details').last();
    await details.getByText('Details').focus();
    await account.page.keyboard.press('Enter');
    await details.getByText('Pixel 9').waitFor();
    await shot('03-two-devices');
    const answered = account.page.waitForResponse('**/users/sessions');
    await account.lookAgain();
    await (await answered).finished();
    await expect.poll(() => account.focused()).toBe('Details');
    expect(await details.getByText('Pixel 9').isVisible()).toBe(true);
    await account.button('Log out Chrome on Android').click();
    await account.says('Chrome on Android is logged out.');
    expect(await account.devices()).toEqual(['Chrome on Linux']);
    expect(await account.focused()).toBe('Your devices');
    await shot('04-one-device');

    await phone.lookAgain();
    await phone.says('Your session was ended');
    await phone.loginTitle.waitFor();
    expect(await phone.page.content()).not.toContain(BOTH.email);
    await shot('05-thrown-out', phone);
  });

  test('is told of a device that has logged out by itself', async () => {
    await phone.enter();
    await account.lookAgain();
    await account.button('Log out Chrome on Android').waitFor();
    await phone.button('Log out').click();
    await phone.loginTitle.waitFor();
    await account.button('Log out Chrome on Android').click();
    await account.says('Chrome on Android was logged out already.');
    expect(await account.devices()).toEqual(['Chrome on Linux']);
  });

  test('logs out all others, after having been asked', async () => {
    await phone.enter();
    await account.lookAgain();
    await account.button('Log out all others').click();
    await account.dialog.getByText('One other device will have to log in again.').waitFor();
    await shot('06-asked');
    await account.page.keyboard.press('Escape');
    expect(await account.focused()).toBe('Log out all others');
    expect(await account.devices()).toHaveLength(2);

    await account.button('Log out all others').click();
    await account.dialog.getByRole('button', { name: 'Log out all others' }).click();
    await account.says('One other device is logged out.');
    expect(await account.devices()).toEqual(['Chrome on Linux']);
    expect(await account.button('Log out all others').count()).toBe(0);
    await phone.button('Log out').click();
    await phone.loginTitle.waitFor();
  });

  test('changes the password, which ends the other sessions', async () => {
    await phone.enter();
    await account.changePassword('Password124', NEW_PASSWORD);
    await account.page.getByText('Wrong password').waitFor();
    expect(await account.focused()).toBe('Current password');
    await account.changePassword(PASSWORD, 'short');
    await account.page.getByText('Password must be at least 8 characters long.').waitFor();
    await shot('07-too-short');
    await account.changePassword(PASSWORD, NEW_PASSWORD);
    await account.says('Your password is changed. One other device is logged out.');
    await shot('08-changed');
    await account.page.reload();
    await account.title.waitFor();
    expect(await account.devices()).toEqual(['Chrome on Linux']);

    await phone.lookAgain();
    await phone.says('Your session was ended');
    await phone.logIn(PASSWORD);
    await phone.says('Invalid credentials');
    await phone.enter(NEW_PASSWORD);
  });

  test('logs out in one tab, and the other one notices', async () => {
    const tab = await AccountPage.open(context, service);
    await tab.title.waitFor();
    await account.button('Log out').click();
    await account.says('You are logged out.');
    expect(await account.focused()).toBe('Log in');
    expect(await account.page.content()).not.toContain(BOTH.email);
    await shot('09-logged-out');
    // Before it has noticed, nothing can be done there any more.
    await tab.button('Log out all others').click();
    await tab.dialog.getByRole('button', { name: 'Log out all others' }).click();
    await tab.loginTitle.waitFor();
    expect(await tab.page.content()).not.toContain(BOTH.email);

    await account.enter(NEW_PASSWORD);
    await tab.lookAgain();
    await tab.title.waitFor();
    await tab.button('Log out').click();
    await tab.loginTitle.waitFor();
    await account.lookAgain();
    await account.says('You are no longer logged in.');
    expect(tab.complaints).toEqual([]);
  });

  test('is shown nothing of whoever was there before', async () => {
    await account.page.reload();
    await account.enter(NEW_PASSWORD);
    await account.field('Current password').fill('half a pass');
    const tab = await AccountPage.open(context, service);
    await tab.title.waitFor();
    await tab.button('Log out').click();
    await tab.loginTitle.waitFor();
    await tab.logIn(PASSWORD, BUYER.email);
    await tab.title.waitFor();
    await account.lookAgain();
    await account.email.getByText(BUYER.email).waitFor();
    expect(await account.page.content()).not.toContain(BOTH.email);
    expect(await account.field('Current password').inputValue()).toBe('');
  });

  test('sends nothing twice by clicking twice', async () => {
    await account.page.bringToFront();
    await account.button('Log out').click();
    await account.loginTitle.waitFor();
    const held: Route[] = [];
    await account.page.route('**/users/login', async (route) => void held.push(route));
    await account.field('E-mail address').fill(BUYER.email);
    await account.field('Password').fill(PASSWORD);
    await account.button('Log in').dblclick();
    await account.page.keyboard.press('Enter');
    await expect.poll(() => held.length).toBeGreaterThan(0);
    for (const route of held) await route.continue();
    await account.title.waitFor();
    expect(held).toHaveLength(1);
  });
});
