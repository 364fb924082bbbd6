import { Component, computed, inject, input, signal } from '@angular/core';
import { NonNullableFormBuilder, ReactiveFormsModule, Validators } from '@angular/forms';
import { Router } from '@angular/router';
import { AuthService } from '@markt/auth-angular';
import type { EndReason } from '@markt/auth-core';
import { problem } from './problem';

const GOODBYES: Record<EndReason, string> = {
  expired: 'You were away for a while. Please log in again.',
  revoked: 'You were logged out from another device.',
  'not-authenticated': 'Please log in again.',
};

@Component({
  selector: 'app-login-page',
  imports: [ReactiveFormsModule],
  template: `
    <form class="card narrow" [formGroup]="form" (ngSubmit)="logIn()">
      <h1>Log in</h1>
      @if (goodbye(); as text) {
        <p class="notice" role="status">{{ text }}</p>
      }
      <label>
        E-mail address
        <input type="email" formControlName="email" autocomplete="username" required />
      </label>
      <label>
        Password
        <input type="password" formControlName="password" autocomplete="current-password" required />
      </label>
      <label class="check">
        <input type="checkbox" formControlName="remember" />
        Stay logged in on this device
      </label>
      @if (message(); as text) {
        <p class="error" role="alert">{{ text }}</p>
      }
      <button type="submit" [disabled]="form.disabled">Log in</button>
    </form>
  `,
})
export class LoginPage {
  /** Where the user wanted to go. */
  readonly returnUrl = input<string>();
  protected readonly message = signal<string | undefined>(undefined);
  readonly #auth = inject(AuthService);
  readonly #router = inject(Router);
  protected readonly goodbye = computed(() => {
    const end = this.#auth.end();
    return end && this.message() === undefined ? GOODBYES[end.reason] : undefined;
  });
  protected readonly form = inject(NonNullableFormBuilder).group({
    email: ['', Validators.required],
    password: ['', Validators.required],
    remember: true,
  });

  protected async logIn(): Promise<void> {
    if (this.form.invalid) return this.message.set('Please give your e-mail address and your password.');
    const credentials = this.form.getRawValue();
    this.form.disable();
    this.message.set(undefined);
    try {
      await this.#auth.logIn(credentials);
      await this.#keepsSession();
    } catch (error) {
      this.message.set(problem(error));
    } finally {
      this.form.enable();
    }
  }

  /** A browser that drops the cookie says so to nobody: only the next request shows it. */
  async #keepsSession(): Promise<void> {
    if ((await this.#auth.session.validate()) === undefined) {
      this.message.set('Your browser didn’t keep the login. Does it block cookies of other sites?');
      return;
    }
    await this.#router.navigateByUrl(this.returnUrl() ?? '/');
  }
}
