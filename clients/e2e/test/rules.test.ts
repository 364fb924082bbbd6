import { BOTH, PASSWORD } from '@markt/auth-testing';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AccountPage } from '../src/account.js';
import { launch, newBrowser, picture } from '../src/browser.js';
import { CROSS_SITE, Deployment, HTTPS, SUBDOMAINS } from '../src/deployment.js';
import { logIn } from '../src/login.js';
import { page as pageOf, Site } from '../src/site.js';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

let context: BrowserContext;
let page: Page;
beforeEach(async () => {
  context = await newBrowser(browser);
  page = await context.newPage();
});
afterEach(() => context.close());

/** What a browser does where logins don't work. */
describe('what the doctor warns of', () => {
  let deployment: Deployment;
  afterEach(() => deployment?.stop());

  test('a Lax cookie of another site is not kept, which the app tells the user', async () => {
    deployment = await Deployment.start({ ...CROSS_SITE, keys: {} });
    expect(await deployment.doctor()).toMatchObject({ code: 1, login: 'no', rules: { 'stored-on-fetch': 'no' } });
    await page.goto(deployment.origin);
    await logIn(page);
    await page.getByText('Your browser didn’t keep the login').waitFor();
    await picture(page, 'rules/cookie-not-kept');
    expect(await context.cookies()).toEqual([]);
  });

  test("another site's cookie that isn't partitioned is not kept by a browser that blocks those", async () => {
    const keys = { MARKT_COOKIE__SAME_SITE: 'None', MARKT_COOKIE__SECURE: 'true' } as const;
    deployment = await Deployment.start({ ...CROSS_SITE, keys });
    expect(await deployment.doctor()).toMatchObject({ login: 'differs', rules: { 'third-party': 'differs' } });
    await page.goto(deployment.origin);
    await logIn(page);
    await page.getByText('Your browser didn’t keep the login').waitFor();
  });

  test('a page whose origin is not allowed cannot call the service at all', async () => {
    deployment = await Deployment.start({ ...SUBDOMAINS, keys: { MARKT_CORS__ALLOWED_ORIGINS: '' } });
    expect(await deployment.doctor()).toMatchObject({ code: 1, login: 'no', rules: { preflight: 'no' } });
    await page.goto(deployment.origin);
    await logIn(page);
    await page.getByText('The service can’t be reached.').waitFor();
    await picture(page, 'rules/origin-not-allowed');
    expect(await context.cookies()).toEqual([]);
  });

  test('a Secure cookie that comes by http is not kept', async () => {
    deployment = await Deployment.start({ ...SUBDOMAINS, keys: { MARKT_COOKIE__SECURE: 'true' } });
    expect(await deployment.doctor()).toMatchObject({ code: 1, login: 'no', rules: { secure: 'no' } });
    await page.goto(deployment.origin);
    await logIn(page);
    await page.getByText('Your browser didn’t keep the login').waitFor();
  });
});

/** What a cookie with the prefix `__Host-` is worth, where other hosts of the site aren't to be trusted. */
describe('by https', () => {
  const NAME = HTTPS.keys.MARKT_COOKIE__NAME ?? '';
  let deployment: Deployment;
  let foreign: Site;
  let secure: BrowserContext;
  beforeAll(async () => {
    deployment = await Deployment.start(HTTPS);
    foreign = await Site.start(pageOf('<h1>Another page of the site</h1>'));
  });
  beforeEach(async () => {
    secure = await newBrowser(browser, { ignoreHTTPSErrors: true });
  });
  afterEach(() => secure.close());
  afterAll(async () => {
    await foreign?.stop();
    await deployment?.stop();
  });

  test('the account page logs in, and its cookie goes to its host alone, and never by http', async () => {
    const account = await AccountPage.open(secure, deployment.service, `${deployment.serviceUrl}/account`);
    await account.enter();
    await account.page.reload();
    await account.title.waitFor();
    const cookies = await secure.cookies();
    expect(cookies).toMatchObject([
      { name: NAME, domain: 'auth.markt.test', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' },
    ]);
    const seen: (string | undefined)[] = [];
    for (const host of ['auth.markt.test', 'blog.markt.test']) {
      const other = await secure.newPage();
      const response = await other.goto(`http://${host}:${foreign.port}/`);
      seen.push((await response?.request().allHeaders())?.cookie);
    }
    expect(seen).toEqual([undefined, undefined]);
    expect(account.complaints).toEqual([]);
  });

  test('no other page of the site can plant it, as it could a cookie of another name', async () => {
    for (const host of ['auth.markt.test', 'blog.markt.test']) {
      const other = await secure.newPage();
      await other.goto(`http://${host}:${foreign.port}/`);
      await other.evaluate((name) => {
        const attributes = ['', '; Secure', '; Domain=markt.test', '; Domain=markt.test; Secure'];
        const prefixed = attributes.map((rest) => `${name}=planted; Path=/${rest}`);
        for (const cookie of [...prefixed, 'markt_session=planted; Path=/; Domain=markt.test']) {
          // biome-ignore lint/suspicious/noDocumentCookie: what whoever means harm does
          document.cookie = cookie;
        }
      }, NAME);
    }
    const kept = (await secure.cookies(deployment.serviceUrl)).map(({ name }) => name);
    expect(kept).toEqual(['markt_session']);
    const account = await AccountPage.open(secure, deployment.service, `${deployment.serviceUrl}/account`);
    await account.enter();
  });
});

/** What pages can do that somebody else has made, while the user is logged in. */
describe('forged requests', () => {
  let deployment: Deployment;
  let foreign: Site;
  beforeAll(async () => {
    deployment = await Deployment.start(SUBDOMAINS);
    const form = (path: string) =>
      `<form method="post" action="${deployment.serviceUrl}/api/v1/users/${path}"><button>${path}</button></form>`;
    foreign = await Site.start(pageOf(`<h1>A foreign page</h1>${form('logout')}${form('switch-role')}`));
  });
  beforeEach(async () => {
    await page.goto(deployment.origin);
    await logIn(page);
    await page.getByText(BOTH.email).waitFor();
  });
  afterAll(async () => {
    await foreign?.stop();
    await deployment?.stop();
  });

  async function stillIn(): Promise<void> {
    await page.reload();
    await page.locator('#role', { hasText: 'buyer' }).waitFor();
  }

  /** Sends the form of a page at this host. Returns the answer's status, body, and whether the cookie went along. */
  async function post(host: string, path: string) {
    const other = await context.newPage();
    await other.goto(`http://${host}:${foreign.port}/`);
    const answered = other.waitForResponse((response) => response.request().method() === 'POST');
    await other.getByRole('button', { name: path }).click();
    const response = await answered;
    const { cookie } = await response.request().allHeaders();
    await picture(other, `rules/${host}-${path}`);
    const { error_type } = await response.json();
    return { status: response.status(), error_type, withCookie: cookie?.includes('markt_session=') ?? false };
  }

  test.each(['logout', 'switch-role'])(
    "another site's form posts %s without the cookie, and is refused",
    async (path) => {
      const answer = await post('www.foreign.test', path);
      expect(answer).toEqual({ status: 403, error_type: 'cross_origin_refused', withCookie: false });
      await stillIn();
    },
  );

  test.each(['logout', 'switch-role'])(
    'a form of the same site posts %s with the cookie, and is refused too',
    async (path) => {
      const answer = await post('blog.markt.test', path);
      expect(answer).toEqual({ status: 403, error_type: 'cross_origin_refused', withCookie: true });
      await stillIn();
    },
  );

  test("a foreign page's script can neither read nor change anything", async () => {
    const other = await context.newPage();
    for (const host of ['www.foreign.test', 'blog.markt.test']) {
      await other.goto(`http://${host}:${foreign.port}/`);
      const tried = await other.evaluate(async (api) => {
        const call = async (path: string, init: RequestInit) => {
          const response = await fetch(api + path, { credentials: 'include', ...init }).catch(() => undefined);
          return response === undefined ? 'refused' : `${response.status} ${response.type}`;
        };
        const text = { 'Content-Type': 'text/plain' };
        return [
          await call('/users/profile', {}),
          await call('/users/logout', { method: 'POST' }),
          await call('/users/logout', { method: 'POST', mode: 'no-cors', headers: text }),
          await call('/users/sessions', { method: 'DELETE' }),
        ];
      }, `${deployment.serviceUrl}/api/v1`);
      expect(tried, host).toEqual(['refused', 'refused', 'refused', 'refused']);
    }
    await stillIn();
  });

  test('a foreign page cannot log its visitor in as somebody else', async () => {
    const other = await context.newPage();
    await other.goto(`http://blog.markt.test:${foreign.port}/`);
    const body = JSON.stringify({ email: 'buyer1@markt.com', password: PASSWORD });
    const failed = other.waitForEvent('requestfailed');
    await other.evaluate(
      async ([url, body = '']) => {
        const init: RequestInit = { method: 'POST', mode: 'no-cors', credentials: 'include', body };
        await fetch(`${url}/api/v1/users/login`, init).catch(() => undefined);
      },
      [deployment.serviceUrl, body],
    );
    // The service was asked, and its answer kept from the page (Cross-Origin-Resource-Policy).
    expect((await failed).failure()?.errorText).toContain('ERR_BLOCKED_BY_RESPONSE');
    await stillIn();
  });
});
