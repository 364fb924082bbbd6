import { DatePipe } from '@angular/common';
import { Component, type ElementRef, inject, type OnInit, signal, viewChild } from '@angular/core';
import { AuthService } from '@markt/auth-angular';
import type { Device } from '@markt/auth-core';
import { problem } from './problem';

@Component({
  selector: 'app-devices-page',
  imports: [DatePipe],
  template: `
    <section class="card">
      <h1>Devices</h1>
      <p>You are logged in on these.</p>
      @if (message(); as text) {
        <p class="error" role="alert">{{ text }}</p>
      }
      <ul class="devices">
        @for (device of devices(); track device.id) {
          <li>
            <div>
              <strong>{{ device.device }}</strong>
              @if (device.current) {
                <span class="badge">this one</span>
              }
              <small>{{ device.ip_address }}, last used {{ device.last_activity | date: 'medium' }}</small>
            </div>
            @if (!device.current) {
              <button type="button" class="quiet" (click)="logOut(device)" [attr.aria-label]="'Log out ' + device.device">
                Log out
              </button>
            }
          </li>
        }
      </ul>
      @if (devices().length > 1) {
        <button type="button" (click)="logOutOthers()">Log out all others</button>
      }
    </section>
    <dialog #dialog aria-labelledby="confirm">
      <form method="dialog" (submit)="password.set(field.value)">
        <h2 id="confirm">Please give your password</h2>
        <label>
          Password
          <input #field type="password" autocomplete="current-password" required />
        </label>
        <button type="submit">Continue</button>
        <button type="button" class="quiet" (click)="dialog.close()">Cancel</button>
      </form>
    </dialog>
  `,
})
export class DevicesPage implements OnInit {
  protected readonly devices = signal<Device[]>([]);
  protected readonly message = signal<string | undefined>(undefined);
  protected readonly password = signal<string | undefined>(undefined);
  readonly #session = inject(AuthService).session;
  private readonly prompt = viewChild.required<ElementRef<HTMLDialogElement>>('dialog');

  async ngOnInit(): Promise<void> {
    await this.#change(async () => {});
  }

  protected async logOut(device: Device): Promise<void> {
    await this.#change(() => this.#session.logOutDevice(device));
  }

  protected async logOutOthers(): Promise<void> {
    await this.#change(() => this.#session.logOutOthers());
  }

  /** Does it, after the password was given if need be, and shows what is left. */
  async #change(action: () => Promise<unknown>): Promise<void> {
    try {
      if (this.devices().length > 0 && !(await this.#session.ensureFresh(() => this.#askPassword()))) return;
      await action();
      this.devices.set(await this.#session.devices());
      this.message.set(undefined);
    } catch (error) {
      this.message.set(problem(error));
    }
  }

  #askPassword(): Promise<string | undefined> {
    const dialog = this.prompt().nativeElement;
    this.password.set(undefined);
    dialog.querySelector('form')?.reset();
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => resolve(this.password()), { once: true });
    });
  }
}
