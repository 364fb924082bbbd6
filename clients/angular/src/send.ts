import { type HttpClient, HttpErrorResponse, type HttpResponse } from '@angular/common/http';
import type { Send } from '@markt/auth-core';
import { firstValueFrom } from 'rxjs';

/** Sends by this client, which must not go through the session's interceptor. */
export function httpSend(http: HttpClient): Send {
  return async ({ method, url, headers, body, withCredentials }) => {
    const options = { body, headers, withCredentials, observe: 'response', responseType: 'json' } as const;
    const response = await firstValueFrom(http.request(method, url, options)).catch(answered);
    const content: unknown = response instanceof HttpErrorResponse ? response.error : response.body;
    return { status: response.status, body: content ?? undefined, retryAfter: response.headers.get('Retry-After') };
  };
}

/** An answer that is an error is an answer all the same; a status of 0 is none. */
function answered(error: unknown): HttpErrorResponse | HttpResponse<unknown> {
  if (error instanceof HttpErrorResponse && error.status !== 0) return error;
  throw error;
}
