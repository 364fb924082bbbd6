import type { IncomingMessage } from 'node:http';

/** Who calls. */
export interface Caller {
  userId: string;
  username: string;
  role: string;
  /** Whether the password was given a short while ago: for what is sensitive. */
  isFresh: boolean;
  /** The cookie's new term, now and then: to be sent on to the browser as `Set-Cookie`. */
  cookies: string[];
}

/** The backend can't tell who calls: it answers with this status, and never lets the request pass. */
export class Unknown extends Error {
  constructor(
    readonly status: 400 | 401 | 503,
    readonly retryAfter?: string,
  ) {
    super(status === 503 ? 'The caller is not known just now' : 'The caller is not logged in');
  }
}

/** Asks the service whose session came with this request. */
export async function callerOf({ headers }: IncomingMessage, service: string): Promise<Caller> {
  const passedOn = new Headers();
  // The user agent, too: a session keeps to the browser that it began with.
  for (const name of ['cookie', 'authorization', 'user-agent', 'x-request-id']) {
    const value = headers[name];
    if (typeof value === 'string') passedOn.set(name, value);
  }
  const signal = AbortSignal.timeout(5_000);
  const answer = await fetch(`${service}/api/v1/sessions/verify`, { headers: passedOn, signal }).catch(() => undefined);
  if (answer?.status === 204) {
    const said = (name: string) => answer.headers.get(`x-auth-${name}`) ?? '';
    const isFresh = said('fresh') === 'true';
    const cookies = answer.headers.getSetCookie();
    return { userId: said('user-id'), username: said('username'), role: said('role'), isFresh, cookies };
  }
  if (answer?.status === 400 || answer?.status === 401) throw new Unknown(answer.status);
  // No answer is not a no: a 401 would have the client forget its session.
  throw new Unknown(503, answer?.headers.get('retry-after') ?? '1');
}
