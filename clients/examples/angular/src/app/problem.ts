import { ApiError, Unreachable } from '@markt/auth-core';

/** What went wrong, for the user; nothing if the session has ended, since the app leads to the login then. */
export function problem(error: unknown): string | undefined {
  if (error instanceof Unreachable) return 'The service can’t be reached. Please try again in a while.';
  if (!(error instanceof ApiError)) throw error;
  if (error.isOutage) return 'The service can’t answer just now. You are still logged in.';
  const hasEnded = error.status === 401 && error.errorType !== 'invalid_credentials';
  return hasEnded ? undefined : error.message;
}
