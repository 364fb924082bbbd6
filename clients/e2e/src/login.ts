import { BOTH, PASSWORD } from '@markt/auth-testing';
import type { Page } from 'playwright-core';

/** Fills in the example's login, and sends it. */
export async function logIn(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail address').fill(BOTH.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}
