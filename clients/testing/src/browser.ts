import { Cookie, CookieJar } from 'tough-cookie';

/** Kept before a test puts another in its place. */
const nodeFetch = globalThis.fetch;

/** A `fetch` as a page of this origin has it: with the browser's cookies, as far as it says `credentials: 'include'`. */
export function browserFetch(origin: string, jar: CookieJar = new CookieJar()): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const withCredentials = request.credentials === 'include';
    request.headers.set('Origin', origin);
    request.headers.set('User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0');
    const cookies = withCredentials ? await jar.getCookieString(request.url) : '';
    if (cookies !== '') request.headers.set('Cookie', cookies);
    const response = await nodeFetch(request);
    for (const header of withCredentials ? response.headers.getSetCookie() : []) {
      const cookie = Cookie.parse(header);
      if (cookie !== undefined) await jar.setCookie(cookie, request.url);
    }
    return response;
  };
}
