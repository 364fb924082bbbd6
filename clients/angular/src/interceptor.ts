import {
  HttpErrorResponse,
  type HttpEvent,
  type HttpInterceptorFn,
  type HttpRequest,
  HttpResponse,
} from '@angular/common/http';
import { inject } from '@angular/core';
import { isRepeatable, type Pass, type SessionClient } from '@markt/auth-core';
import { catchError, from, type Observable, switchMap, tap, throwError } from 'rxjs';
import { AuthService } from './auth.js';
import { AUTH_CONFIG } from './config.js';

/**
 * Has requests to the service, and to where else the config says, carry the session. A 401 ends it, once; a 503 doesn't,
 * and is asked again where that does no harm.
 */
export const sessionInterceptor: HttpInterceptorFn = (request, next) => {
  const { session } = inject(AuthService);
  const { alsoFor } = inject(AUTH_CONFIG);
  const send = (attempts: number): Observable<HttpEvent<unknown>> =>
    from(session.passFor(request.urlWithParams, alsoFor)).pipe(
      switchMap((pass) => (pass === undefined ? next(request) : sendWith(pass, attempts))),
    );
  const sendWith = (pass: Pass, attempts: number) =>
    next(request.clone({ setHeaders: pass.headers, withCredentials: pass.withCredentials })).pipe(
      tap((event) => {
        if (event instanceof HttpResponse) session.observe(pass, event.status, event.body);
      }),
      catchError((error: unknown) => {
        if (!(error instanceof HttpErrorResponse)) return throwError(() => error);
        session.observe(pass, error.status, error.error);
        const delay = delayBeforeRetry(session, request, error, attempts);
        if (delay === undefined) return throwError(() => error);
        return from(session.sleep(delay)).pipe(switchMap(() => send(attempts + 1)));
      }),
    );
  return send(1);
};

function delayBeforeRetry(
  session: SessionClient,
  request: HttpRequest<unknown>,
  { status, headers }: HttpErrorResponse,
  attempts: number,
): number | undefined {
  if (!isRepeatable(request.method)) return undefined;
  return session.retryDelay({ status, retryAfter: headers.get('Retry-After'), attempts });
}
