export { AuthService } from './auth.js';
export { AUTH_CONFIG, type AuthConfig } from './config.js';
export { sessionGuard } from './guard.js';
export { sessionInterceptor } from './interceptor.js';
export { provideAuth } from './provide.js';
export { httpSend } from './send.js';
