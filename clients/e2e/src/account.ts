import { BOTH, PASSWORD, type Service } from '@markt/auth-testing';
import axe from 'axe-core';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

/** What the rules of WCAG 2.2 at level AA and axe's own advice are called. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** A page that shows the service's account page. */
export class AccountPage {
  readonly page: Page;
  readonly url: string;
  /** What the browser complained of: errors of scripts, and what the page's policy forbids. */
  readonly complaints: string[] = [];

  private constructor(page: Page, url: string) {
    this.page = page;
    this.url = url;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      // That a request was refused, or not answered, is the browser's own remark.
      const isRemark =
        message.text().startsWith('Failed to load resource') && message.location().url.includes('/api/v1/');
      if (['error', 'warning'].includes(message.type()) && !isRemark) this.complaints.push(message.text());
    });
  }

  /** Opens it in a new tab. */
  static async open(context: BrowserContext, service: Service, url = `${service.url}/account`): Promise<AccountPage> {
    const account = new AccountPage(await context.newPage(), url);
    await account.page.goto(url);
    return account;
  }

  get loginTitle(): Locator {
    return this.page.getByRole('heading', { name: 'Log in' });
  }

  get title(): Locator {
    return this.page.getByRole('heading', { name: 'Your account' });
  }

  get email(): Locator {
    return this.page.locator('dd [data-shows="email"]');
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  field(name: string): Locator {
    return this.page.getByRole('textbox', { name, exact: true });
  }

  /** The devices' names, as they are listed. */
  devices(): Promise<string[]> {
    return this.page.locator('#devices h3').allTextContents();
  }

  async logIn(password = PASSWORD, email = BOTH.email): Promise<void> {
    await this.field('E-mail address').fill(email);
    await this.field('Password').fill(password);
    await this.button('Log in').click();
  }

  /** Logs in, which has to go well. */
  async enter(password = PASSWORD): Promise<void> {
    await this.logIn(password);
    await this.title.waitFor();
  }

  async changePassword(current: string, next: string): Promise<void> {
    await this.field('Current password').fill(current);
    await this.field('New password').fill(next);
    await this.button('Change password').click();
  }

  /** Waits until this is said to whoever can't see the page, too. */
  async says(text: string): Promise<void> {
    await this.page.locator('[role=status], [role=alert]').getByText(text).waitFor();
  }

  /** As if the tab were looked at again. */
  async lookAgain(): Promise<void> {
    await this.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  }

  /** What has the focus: its accessible name, as far as it has one of its own. */
  focused(): Promise<string> {
    return this.page.evaluate(() => {
      const element = document.activeElement;
      const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined;
      return (element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? '').trim();
    });
  }

  /** Makes sure that nobody is kept out of what is shown, and that it fits. */
  async assertAccessible(): Promise<void> {
    const fits = await this.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
    expect(fits, 'it has to fit without scrolling sideways').toBe(true);
    await this.page.evaluate(axe.source);
    const violations = await this.page.evaluate(async (rules) => {
      const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
      const { violations } = await axe.run(document, { runOnly: rules });
      return violations.map(({ id, nodes }) => ({
        id,
        nodes: nodes.map(({ target, failureSummary }) => [target, failureSummary]),
      }));
    }, RULES);
    expect(violations).toEqual([]);
  }
}
