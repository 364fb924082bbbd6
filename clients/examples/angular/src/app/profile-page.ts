import { Component, inject, type OnInit, signal } from '@angular/core';
import { AuthService } from '@markt/auth-angular';
import type { Profile } from '@markt/auth-core';
import { problem } from './problem';

@Component({
  selector: 'app-profile-page',
  template: `
    <section class="card">
      <h1>Profile</h1>
      @if (message(); as text) {
        <p class="error" role="alert">{{ text }}</p>
      }
      @if (profile(); as profile) {
        <dl>
          <dt>User name</dt>
          <dd>{{ profile.username }}</dd>
          <dt>E-mail address</dt>
          <dd>{{ profile.email }}</dd>
          @if (profile.buyer_account; as buyer) {
            <dt>Buys as</dt>
            <dd>{{ buyer.buyername }}</dd>
          }
          @if (profile.seller_account; as seller) {
            <dt>Sells as</dt>
            <dd>{{ seller.shop_name }}</dd>
          }
          <dt>Current role</dt>
          <dd id="role">{{ profile.current_role }}</dd>
        </dl>
        @if (profile.is_buyer && profile.is_seller) {
          <button type="button" (click)="switchRole()">
            Act as {{ profile.current_role === 'buyer' ? 'seller' : 'buyer' }}
          </button>
        }
      }
    </section>
  `,
})
export class ProfilePage implements OnInit {
  protected readonly profile = signal<Profile | undefined>(undefined);
  protected readonly message = signal<string | undefined>(undefined);
  readonly #session = inject(AuthService).session;

  async ngOnInit(): Promise<void> {
    await this.#try(async () => this.profile.set(await this.#session.profile()));
  }

  protected async switchRole(): Promise<void> {
    await this.#try(async () => {
      await this.#session.switchRole();
      this.profile.set(await this.#session.profile());
    });
  }

  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.message.set(undefined);
    } catch (error) {
      this.message.set(problem(error));
    }
  }
}
