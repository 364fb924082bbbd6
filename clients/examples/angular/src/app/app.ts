import { Component, inject, signal } from '@angular/core';
import { Router, RouterLink, RouterLinkActive, RouterOutlet } from '@angular/router';
import { AuthService } from '@markt/auth-angular';
import { problem } from './problem';

@Component({
  selector: 'app-root',
  imports: [RouterLink, RouterLinkActive, RouterOutlet],
  template: `
    <header>
      <a class="brand" routerLink="/">Markt</a>
      @if (auth.user(); as user) {
        <nav aria-label="Account">
          <a routerLink="/" routerLinkActive="here" ariaCurrentWhenActive="page" [routerLinkActiveOptions]="{ exact: true }">
            Profile
          </a>
          <a routerLink="/devices" routerLinkActive="here" ariaCurrentWhenActive="page">Devices</a>
        </nav>
        <span class="user">{{ user.username }}</span>
        <button type="button" class="quiet" (click)="logOut()">Log out</button>
      }
    </header>
    <main>
      @if (message(); as text) {
        <p class="notice" role="alert">{{ text }}</p>
      }
      <router-outlet />
    </main>
  `,
})
export class App {
  protected readonly auth = inject(AuthService);
  protected readonly message = signal<string | undefined>(undefined);
  readonly #router = inject(Router);

  protected async logOut(): Promise<void> {
    try {
      await this.auth.logOut();
      this.message.set(undefined);
      await this.#router.navigateByUrl('/login');
    } catch (error) {
      this.message.set(problem(error));
    }
  }
}
