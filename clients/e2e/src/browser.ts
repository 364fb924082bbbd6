import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from 'playwright-core';

/** Where pictures go. */
const PICTURES = fileURLToPath(new URL('../../../target/e2e/', import.meta.url));

const PICTURE_ATTEMPTS = 5;

/** What a laptop's browser calls itself. */
export const LAPTOP: BrowserContextOptions = {
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
};

/** A phone, as far as pages can tell. */
export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 700 },
  userAgent:
    'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
};

/** Hosts of two sites of which nobody has to know anywhere else. */
const HOSTS = 'MAP *.markt.test 127.0.0.1, MAP *.foreign.test 127.0.0.1';

/** Chromium, without what it would ask of hosts that a test can't reach. */
export async function launch(options: LaunchOptions = {}): Promise<Browser> {
  const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  return await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Root has no sandbox.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [...quiet, '--disable-component-update', '--disable-sync', `--host-resolver-rules=${HOSTS}`],
    ...options,
  });
}

/** A browser of its own, as far as cookies and storage are concerned. */
export async function newBrowser(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 900, height: 640 }, ...options });
  context.setDefaultTimeout(15_000);
  return context;
}

/** Keeps what the page shows, under `target/e2e`. */
export async function picture(page: Page, name: string): Promise<void> {
  const path = `${PICTURES}${name}.png`;
  await mkdir(dirname(path), { recursive: true });
  // A page that has just come has nothing to show yet, on a busy machine.
  for (let attempts = 1; ; attempts += 1) {
    try {
      await page.screenshot({ path });
      return;
    } catch (error) {
      if (attempts === PICTURE_ATTEMPTS) throw error;
      await page.waitForTimeout(500);
    }
  }
}
