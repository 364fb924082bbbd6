const KEY = 'markt_user_session';
const WEEK = 7 * 24 * 60 * 60 * 1000;

/** The service refused. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly errorType: string,
    message: string,
  ) {
    super(message);
  }
}

/** Calls the API at this address, with the cookie, and gives what it answers. */
export async function call(api: string, method: string, path: string, body?: unknown) {
  const response = await fetch(api + path, {
    method,
    // Without this, browsers neither keep the cookie nor send it to another origin.
    credentials: 'include',
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (response.status === 204) return undefined;
  const answer = await response.json();
  if (response.ok) return answer;
  const { error_type, message } = answer;
  // A 401 says that there is no session, unless it says that the password was wrong. A 503 never does.
  if (response.status === 401 && error_type !== 'invalid_credentials') localStorage.removeItem(KEY);
  throw new Refused(response.status, error_type, message);
}

export async function logIn(api: string, email: string, password: string) {
  const user = await call(api, 'POST', '/users/login', { email, password });
  localStorage.setItem(KEY, JSON.stringify({ user, timestamp: Date.now() }));
  return user;
}

/** Who was logged in when the page was last here. Whether the session lives, only the service can tell. */
export function remembered() {
  const { user, timestamp } = JSON.parse(localStorage.getItem(KEY) ?? '{}');
  return Date.now() - timestamp < WEEK ? user : undefined;
}

/** Asks whether the session lives, without prolonging it: at the start, and before anything sensitive. */
export const session = (api: string) => call(api, 'GET', '/session?touch=false');

export async function logOut(api: string) {
  await call(api, 'POST', '/users/logout');
  localStorage.removeItem(KEY);
}
