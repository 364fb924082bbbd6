import type { Send } from './wire.js';

/** Sends by `fetch`: this machine's, or one that is handed in. */
export function fetchSend(fetch: typeof globalThis.fetch = globalThis.fetch): Send {
  return async ({ method, url, headers, body, withCredentials }) => {
    const response = await fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: withCredentials ? 'include' : 'omit',
      cache: 'no-store',
    });
    const text = await response.text();
    return { status: response.status, body: parsed(text), retryAfter: response.headers.get('Retry-After') };
  };
}

/** A proxy's error page is no JSON, but an answer all the same. */
function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
