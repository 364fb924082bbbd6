import { inject } from '@angular/core';
import { type CanActivateFn, Router } from '@angular/router';
import { AuthService } from './auth.js';
import { AUTH_CONFIG } from './config.js';

/**
 * Lets in who is logged in, and leads everybody else to the login. Who is remembered is let in at once, since the service
 * is asked meanwhile and a refusal leads to the login too; who isn't may still have a cookie.
 */
export const sessionGuard: CanActivateFn = async (_route, { url }) => {
  const auth = inject(AuthService);
  const router = inject(Router);
  const { loginPath = '/login' } = inject(AUTH_CONFIG);
  await auth.session.restore();
  if (!auth.isLoggedIn()) await auth.session.validate().catch(() => undefined);
  return auth.isLoggedIn() || router.createUrlTree([loginPath], { queryParams: { returnUrl: url } });
};
