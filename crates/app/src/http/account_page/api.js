/** Requests to the API, which is beside the page, and what their answers mean. */

const API = new URL('api/v1/', document.baseURI);

/** How long an answer may take, in milliseconds. The service itself gives up sooner. */
const PATIENCE = 20_000;

/** The longest pause before the service is asked again, in seconds, if it doesn't say how long. */
const LONGEST_PAUSE = 30;

/** The errors that say: nobody is logged in here. */
const ENDED = ['not_authenticated', 'session_expired', 'session_revoked', 'invalid_token'];

/**
 * @typedef {object} Options
 * @property {object} [body]
 * @property {AbortSignal} [signal]
 */

/** The service refused, or didn't answer at all. */
export class Refusal extends Error {
  /**
   * @param {number} status 0 if there was no answer
   * @param {Partial<import('@markt/auth-core').ErrorBody> | undefined} body
   * @param {string | null} retryAfter the header
   */
  constructor(status, body, retryAfter) {
    super(body?.message ?? (status === 0 ? 'The service can’t be reached' : `The service answered ${status}`));
    this.status = status;
    /** The error's type; empty if something between here and the service answered. */
    this.type = /** @type {string} */ (body?.error_type ?? '');
    /** What is wrong with each field. @type {Record<string, string[]>} */
    this.fields = body?.errors?.json ?? {};
    const seconds = Number(retryAfter ?? Number.NaN);
    /** After how many seconds it makes sense to try again, if that was said. */
    this.wait = Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : undefined;
  }

  /** Whether nobody is logged in. A wrong password says nothing of that, though it is a 401 too. */
  get saysLoggedOut() {
    return this.status === 401 && ENDED.includes(this.type);
  }

  /** Whether the same may go well a moment later. Who is logged in stays so. */
  get isOutage() {
    return this.status === 0 || this.status === 408 || this.status >= 500;
  }
}

/**
 * Asks once.
 *
 * @param {'GET' | 'POST' | 'DELETE'} method
 * @param {string} path below the API's
 * @param {Options} [options]
 * @returns {Promise<any>} the answer's body
 * @throws {Refusal}
 */
export async function call(method, path, { body, signal } = {}) {
  const patience = AbortSignal.timeout(PATIENCE);
  /** @type {RequestInit} */
  const request = {
    method,
    // The secret stays in the cookie, where no script sees it, whatever a proxy takes out of the request.
    headers: { Accept: 'application/json', 'Content-Type': 'application/json', 'X-Session-Transport': 'cookie' },
    body: body === undefined ? null : JSON.stringify(body),
    cache: 'no-store',
    redirect: 'error',
    signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
  };
  const { status, retryAfter, text } = await fetch(new URL(path, API), request)
    .then(async (answer) => ({
      status: answer.status,
      retryAfter: answer.headers.get('Retry-After'),
      text: await answer.text(),
    }))
    .catch(() => ({ status: 0, retryAfter: null, text: '' }));
  signal?.throwIfAborted();
  const answer = parsed(text);
  const isWhole = status === 204 || (status === 200 && answer !== undefined);
  if (isWhole) return answer;
  // A 200 without JSON is some other server's.
  throw new Refusal(status === 200 ? 0 : status, answer, retryAfter);
}

/**
 * Asks until there is an answer that counts: outages are waited out.
 *
 * @param {string} path
 * @param {{ signal: AbortSignal, onOutage: (refusal: Refusal) => void }} options
 * @returns {Promise<any>}
 * @throws {Refusal}
 */
export async function read(path, { signal, onOutage }) {
  for (let attempts = 0; ; attempts += 1) {
    try {
      return await call('GET', path, { signal });
    } catch (error) {
      if (!(error instanceof Refusal && error.isOutage)) throw error;
      onOutage(error);
      const seconds = Math.max(error.wait ?? 0, Math.min(2 ** attempts, LONGEST_PAUSE));
      // Not all pages at the same moment.
      await pause(seconds * 1000 * (1 + Math.random() / 4), signal);
    }
  }
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
