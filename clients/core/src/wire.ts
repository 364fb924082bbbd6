/** What lies between the session and whatever sends requests: fetch, axios, Angular's `HttpClient`. */

/** A request that is ready to be sent. */
export interface WireRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Absolute. */
  url: string;
  headers: Record<string, string>;
  /** To be sent as JSON. */
  body?: unknown;
  /** Whether the browser is to send cookies along, and to keep those that come back. */
  withCredentials: boolean;
}

/** An answer, whatever its status. */
export interface WireResponse {
  status: number;
  /** Read as JSON; `undefined` if there is none. */
  body: unknown;
  /** The value of `Retry-After`, if there is one. */
  retryAfter: string | null;
}

/** Sends a request. Resolves with every answer, a 500 as well; rejects if there is none. */
export type Send = (request: WireRequest) => Promise<WireResponse>;
