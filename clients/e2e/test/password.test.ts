import { BOTH, browserFetch, PASSWORD } from '@markt/auth-testing';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch, newBrowser, picture } from '../src/browser.js';
import { Deployment, SUBDOMAINS } from '../src/deployment.js';
import { logIn } from '../src/login.js';

let browser: Browser;
let deployment: Deployment;
let page: Page;
beforeAll(async () => {
  browser = await launch();
  deployment = await Deployment.start({ ...SUBDOMAINS, keys: { MARKT_SESSION__FRESH_FOR: '1s' } });
  page = await (await newBrowser(browser)).newPage();
});
afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});

/** The same user on another machine. */
async function logInElsewhere(): Promise<void> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(BOTH) };
  const answer = await browserFetch(deployment.origin)(`${deployment.service.url}/api/v1/users/login`, init);
  expect(answer.status).toBe(200);
}

test('what needs it asks for the password, and can be left alone', async () => {
  await logInElsewhere();
  await page.goto(`${deployment.origin}/devices`);
  await logIn(page);
  const others = page.getByRole('button', { name: 'Log out Firefox on Linux' });
  await others.waitFor();
  const isFresh = () =>
    page.evaluate(async (url) => {
      const answer = await fetch(`${url}/api/v1/session?touch=false`, { credentials: 'include' });
      return (await answer.json()).fresh;
    }, deployment.serviceUrl);
  await expect.poll(isFresh, { timeout: 10_000 }).toBe(false);

  const dialog = page.getByRole('dialog', { name: 'Please give your password' });
  await page.getByRole('button', { name: 'Log out all others' }).click();
  await dialog.waitFor();
  await picture(page, 'password/01-asked');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'hidden' });
  expect(await others.count()).toBe(1);

  await page.getByRole('button', { name: 'Log out all others' }).click();
  await dialog.getByLabel('Password').fill('Password124');
  await dialog.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Wrong password').waitFor();
  await page.getByRole('button', { name: 'Log out all others' }).click();
  await dialog.getByLabel('Password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Continue' }).click();
  await others.waitFor({ state: 'detached' });
  await picture(page, 'password/02-others-logged-out');
});
