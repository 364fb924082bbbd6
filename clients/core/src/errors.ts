import type { ErrorBody, ErrorType } from './api.js';
import type { WireResponse } from './wire.js';

/** The service answered, and refused. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status. */
  readonly status: number;
  /** What went wrong; `undefined` if something between here and the service answered in its place. */
  readonly errorType: ErrorType | undefined;
  /** By which the answer is found in the service's log. */
  readonly requestId: string | undefined;
  /** What is wrong with each field, if that is what is wrong. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** After how many milliseconds it makes sense to try again, if the service said so. */
  readonly retryAfter: number | undefined;

  constructor(response: WireResponse, now: number) {
    const body = errorBody(response.body);
    super(body?.message ?? `The service answered ${response.status}`);
    this.status = response.status;
    this.errorType = body?.error_type;
    this.requestId = body?.request_id;
    this.fields = (body?.errors?.json ?? body?.errors?.query ?? {}) as Record<string, string[]>;
    this.retryAfter = retryAfter(response.retryAfter, now);
  }

  /** Whether the service can't answer just now: the session is as it was, and the user is still logged in. */
  get isOutage(): boolean {
    return this.status >= 500;
  }
}

/** There was no answer: no network, no server, or a browser that doesn't let a page of this origin read it (CORS). */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';

  constructor(cause: unknown) {
    super("The service can't be reached", { cause });
  }
}

/** The error's body, if it is one of the service's. */
export function errorBody(body: unknown): ErrorBody | undefined {
  const isError = typeof body === 'object' && body !== null && 'error_type' in body;
  return isError ? (body as ErrorBody) : undefined;
}

/** `Retry-After` in milliseconds: it has seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const time = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(time) ? undefined : Math.max(0, time);
}
