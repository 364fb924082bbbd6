import { provideHttpClient, withFetch, withInterceptors } from '@angular/common/http';
import { bootstrapApplication } from '@angular/platform-browser';
import { provideRouter, withComponentInputBinding } from '@angular/router';
import { type AuthConfig, provideAuth, sessionInterceptor } from '@markt/auth-angular';
import { App } from './app/app';
import { routes } from './app/routes';

/** Where the service is, is a matter of where the app is served. */
const config: AuthConfig = await (await fetch('config.json')).json();

await bootstrapApplication(App, {
  providers: [
    provideRouter(routes, withComponentInputBinding()),
    provideHttpClient(withFetch(), withInterceptors([sessionInterceptor])),
    provideAuth(config),
  ],
});
