import { SECRET_KEY, SessionClient } from '@markt/auth-core';
import { BUYER, PASSWORD, Service } from '@markt/auth-testing';
import AsyncStorage from '@react-native-async-storage/async-storage';
import * as SecureStore from 'expo-secure-store';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { App, type Screen } from '../src/app.js';
import { connect } from '../src/session.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service.stop());
beforeEach(async () => {
  await AsyncStorage.clear();
  await SecureStore.deleteItemAsync(SECRET_KEY);
});

/** The app, as if it had just been opened on the phone: its storages are those of the time before. */
function opened(url = service.url) {
  const shown: Screen[] = [];
  const connected = connect(url);
  const app = new App(connected, () => shown.push(app.screen));
  return { app, shown, ...connected };
}

test('a user logs in, closes the app, finds it logged in, and logs out', async () => {
  const { app, session } = opened();
  await app.start();
  expect(app.screen).toEqual({ name: 'login' });
  await app.logIn(BUYER.email, 'Password124');
  expect(app.screen).toEqual({ name: 'login', message: 'Invalid credentials' });
  await app.logIn(BUYER.email, PASSWORD);
  expect(app.screen).toMatchObject({ name: 'home', user: { email: BUYER.email }, devices: [{ current: true }] });
  await session.settled();

  const { app: again, shown, session: restarted } = opened();
  await again.start();
  expect(shown[0]).toMatchObject({ name: 'home', user: { email: BUYER.email }, devices: [] });
  expect(again.screen).toMatchObject({ name: 'home', devices: [{ current: true, transport: 'bearer' }] });
  await again.setPhoneNumber('+491701234567');
  expect(again.screen).toMatchObject({ user: { phone_number: '+491701234567' } });
  await again.logOut();
  expect(again.screen).toEqual({ name: 'login' });
  await restarted.settled();
  expect(await SecureStore.getItemAsync(SECRET_KEY)).toBeNull();

  const { app: later } = opened();
  await later.start();
  expect(later.screen).toEqual({ name: 'login' });
});

test('the secret is in the key chain, and nowhere in AsyncStorage', async () => {
  const { app, session } = opened();
  await app.logIn(BUYER.email, PASSWORD);
  await session.settled();
  const secret = await SecureStore.getItemAsync(SECRET_KEY);
  expect(secret).toMatch(/^[\w-]{43}$/);
  const stored = await AsyncStorage.multiGet([...(await AsyncStorage.getAllKeys())]);
  expect(stored.map(([key]) => key)).toEqual(['markt_user_session']);
  expect(JSON.stringify(stored)).not.toContain(secret);
});

test('an app that was thrown out says so, once', async () => {
  const { app, shown } = opened();
  await app.logIn(BUYER.email, PASSWORD);
  const memory = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };
  const options = { serviceUrl: service.url, transport: 'bearer', storage: memory, secrets: memory } as const;
  const other = new SessionClient(options);
  await other.login(BUYER);
  await other.logOutOthers();

  shown.length = 0;
  await Promise.all(Array.from({ length: 10 }, () => app.refresh()));
  const message = 'You were logged out from another device.';
  expect(shown).toEqual([{ name: 'login' }, { name: 'login', message }]);
});

test('other devices are logged out, without asking for a password that was just given', async () => {
  const options = { serviceUrl: service.url, transport: 'bearer' } as const;
  const memory = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };
  const other = new SessionClient({ ...options, storage: memory, secrets: memory });
  await other.login(BUYER);
  const { app } = opened();
  await app.logIn(BUYER.email, PASSWORD);
  const devices = () => (app.screen.name === 'home' ? app.screen.devices : []);
  expect(devices().length).toBeGreaterThan(1);
  await app.logOutOthers(() => Promise.reject(new Error('asked')));
  expect(devices()).toMatchObject([{ current: true }]);
  expect(await other.validate()).toBeUndefined();
});

test('without a connection the app shows what it remembers, and logs nobody out', async () => {
  const { app, session } = opened();
  await app.logIn(BUYER.email, PASSWORD);
  await session.settled();
  const { app: offline } = opened('http://127.0.0.1:9');
  await offline.start();
  expect(offline.screen).toMatchObject({
    name: 'home',
    user: { email: BUYER.email },
    message: expect.stringMatching(/^No connection/),
  });
});
