import { retryAfter } from './errors.js';

/** When to ask again after a 503. */
export interface RetryPolicy {
  /** How often a request is sent, at most. */
  attempts: number;
  /** Before the second attempt, in milliseconds; doubled before each further one. */
  baseDelay: number;
  /** The longest that is waited, in milliseconds. A `Retry-After` beyond it is left to the user. */
  maxDelay: number;
}

/** Four attempts, within about four seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 4, baseDelay: 500, maxDelay: 10_000 };

/** What retrying needs of its surroundings. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  now: () => number;
  /** Resolves after so many milliseconds. */
  sleep: (milliseconds: number) => Promise<void>;
  /** From 0 up to 1. */
  random: () => number;
}

/** The machine's clock and chance. */
export const machine: Surroundings = {
  now: () => Date.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  random: () => Math.random(),
};

/**
 * How many milliseconds to wait before a request that was answered by this status is sent again; `undefined` if it is
 * not to be. Half of the wait is by chance, so that clients which were refused together don't come back together.
 */
export function retryDelay(
  policy: RetryPolicy,
  { now, random }: Surroundings,
  refused: { status: number; retryAfter: string | null; attempts: number },
): number | undefined {
  if (refused.status !== 503 || refused.attempts >= policy.attempts) return undefined;
  const asked = retryAfter(refused.retryAfter, now()) ?? 0;
  if (asked > policy.maxDelay) return undefined;
  const backoff = Math.min(policy.maxDelay, policy.baseDelay * 2 ** (refused.attempts - 1));
  return Math.max(asked, backoff / 2) + (backoff / 2) * random();
}

/** Whether a request of this method does the same if it is sent twice (RFC 9110, 9.2.2). */
export function isRepeatable(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(method.toUpperCase());
}
