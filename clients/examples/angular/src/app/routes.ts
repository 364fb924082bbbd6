import type { Routes } from '@angular/router';
import { sessionGuard } from '@markt/auth-angular';
import { DevicesPage } from './devices-page';
import { LoginPage } from './login-page';
import { ProfilePage } from './profile-page';

export const routes: Routes = [
  { path: 'login', component: LoginPage, title: 'Log in · Markt' },
  { path: 'devices', component: DevicesPage, canActivate: [sessionGuard], title: 'Devices · Markt' },
  { path: '', pathMatch: 'full', component: ProfilePage, canActivate: [sessionGuard], title: 'Profile · Markt' },
  { path: '**', redirectTo: '' },
];
