/** The account page: what it shows, and what its buttons do. */

import { call, Refusal, read } from './api.js';
import { day, otherDevices, showDevices } from './devices.js';
import {
  ask,
  clearRefusal,
  element,
  empty,
  explained,
  hidePasswords,
  makeDialogsClosable,
  makePasswordsShowable,
  onSubmit,
  showRefusal,
} from './forms.js';

/** @typedef {import('@markt/auth-core').Device} Device */
/** @typedef {import('@markt/auth-core').Profile} Profile */
/** @typedef {'loading' | 'login' | 'account'} View */

const TITLES = { loading: 'Markt account', login: 'Log in – Markt account', account: 'Your account – Markt account' };

const NOT_KEPT =
  'Your browser didn’t keep the login: it refuses the cookie. Where cookies are allowed, the address may begin with ' +
  'http: and the service’s cookie be for https only.';

/** Why somebody who was logged in isn't any more. @type {Record<string, string>} */
const ENDINGS = {
  session_expired: 'Your session has expired. Please log in again.',
  session_revoked:
    'Your session was ended: you were logged out from another device, or the password was changed. Please log in again.',
};

/** The user changed their mind. */
class Cancelled extends Error {}

const page = {
  logOut: element('log-out', HTMLButtonElement),
  outage: element('outage', HTMLElement),
  loginForm: element('login-form', HTMLFormElement),
  devices: element('devices', HTMLElement),
  logOutOthers: element('log-out-others', HTMLButtonElement),
  passwordForm: element('password-form', HTMLFormElement),
  confirm: element('confirm', HTMLDialogElement),
  confirmText: element('confirm-text', HTMLElement),
  reauthenticate: element('reauthenticate', HTMLDialogElement),
  reauthenticateForm: element('reauthenticate-form', HTMLFormElement),
};

/** Where something can be said. */
const notices = {
  page: element('notice', HTMLElement),
  devices: element('devices-notice', HTMLElement),
  password: element('password-notice', HTMLElement),
};

/** @type {View} */
let view = 'loading';
/** Who is shown. @type {Profile | undefined} */
let user;
/** @type {Device[]} */
let devices = [];
/** What is being read; what comes of it counts no more once something else is. */
let reading = new AbortController();

/**
 * Asks who is logged in and where, and shows that.
 *
 * @param {{ hasJustLoggedIn?: boolean }} [since]
 */
async function load({ hasJustLoggedIn = false } = {}) {
  const { signal } = startOver();
  const options = { signal, onOutage: () => showOutage(true) };
  try {
    const profile = await read('users/profile', options);
    const { items } = await read('users/sessions', options);
    if (signal.aborted) return;
    showOutage(false);
    showAccount(profile, items);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Refusal)) throw error;
    showOutage(false);
    // Only a 401 says that nobody is logged in.
    if (view === 'account' && !error.saysLoggedOut) say(notices.page, explained(error), true);
    else showLogin(wordOn(error, hasJustLoggedIn));
  }
}

/** Gives up what is being read. */
function startOver() {
  reading.abort();
  reading = new AbortController();
  return reading;
}

/** @param {Refusal} refusal @param {boolean} hasJustLoggedIn */
function wordOn(refusal, hasJustLoggedIn) {
  if (!refusal.saysLoggedOut) return explained(refusal);
  if (hasJustLoggedIn) return NOT_KEPT;
  return ENDINGS[refusal.type] ?? (user === undefined ? '' : 'You are no longer logged in. Please log in again.');
}

/** @param {string} word why, if there is something to say */
function showLogin(word) {
  const isNew = view !== 'login';
  const wasFirst = view === 'loading' && word === '';
  if (isNew) forget();
  show('login');
  if (word !== '') say(notices.page, word);
  if (isNew) element(wasFirst ? 'login-email' : 'login-title', HTMLElement).focus();
}

/** @param {Profile} profile @param {Device[]} items */
function showAccount(profile, items) {
  const cameFrom = view;
  if (user?.id !== profile.id) forget();
  user = profile;
  const roles = profile.is_buyer && profile.is_seller ? `Buyer and seller; now ${profile.current_role}` : undefined;
  fill({
    username: profile.username,
    email: profile.email,
    verified: profile.email_verified ? 'Verified' : 'Not verified',
    roles: roles ?? (profile.is_seller ? 'Seller' : 'Buyer'),
    since: day(profile.created_at),
    id: profile.id,
  });
  list(items);
  show('account');
  if (cameFrom === 'login') element('account-title', HTMLElement).focus();
}

/** @param {Device[]} items */
function list(items) {
  devices = items;
  showDevices(page.devices, devices, logOutDevice);
  page.logOutOthers.hidden = devices.every((device) => device.current);
}

/** @param {View} next */
function show(next) {
  view = next;
  for (const name of Object.keys(TITLES)) element(name, HTMLElement).hidden = name !== next;
  page.logOut.hidden = next !== 'account';
  document.title = TITLES[next];
}

/** Takes all of the user's away: whoever looks at the page next may be somebody else. */
function forget() {
  user = undefined;
  for (const dialog of [page.confirm, page.reauthenticate]) dialog.close();
  for (const form of [page.loginForm, page.passwordForm, page.reauthenticateForm]) empty(form);
  fill({ username: '', email: '', verified: '', roles: '', since: '', id: '' });
  list([]);
  quieten();
}

/** @param {Record<string, string>} texts */
function fill(texts) {
  for (const [name, text] of Object.entries(texts)) {
    for (const place of document.querySelectorAll(`[data-shows="${name}"]`)) {
      if (place instanceof HTMLInputElement) place.value = text;
      else place.textContent = text;
    }
  }
}

/**
 * Says this, and nothing else any more.
 *
 * @param {HTMLElement} notice
 * @param {string} text
 * @param {boolean} [isWrong]
 */
function say(notice, text, isWrong = false) {
  quieten();
  notice.classList.toggle('wrong', isWrong);
  notice.textContent = text;
  notice.hidden = false;
}

/** Takes away what was said. */
function quieten() {
  for (const notice of Object.values(notices)) notice.hidden = true;
}

/** @param {boolean} isAway */
function showOutage(isAway) {
  // Said once, however often it is tried.
  if (page.outage.hidden === !isAway) return;
  page.outage.textContent = isAway ? 'The service can’t answer just now. Trying again…' : '';
  page.outage.hidden = !isAway;
}

/**
 * Does what a button is for, once at a time.
 *
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} work
 * @param {(refusal: Refusal) => void} refused
 */
async function act(button, work, refused) {
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  try {
    await work();
  } catch (error) {
    if (error instanceof Cancelled) return;
    if (!(error instanceof Refusal)) throw error;
    // The refused secret may have been replaced meanwhile, by another tab: whether the session has ended, and why, is
    // asked.
    if (error.saysLoggedOut) return await load();
    quieten();
    refused(error);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/**
 * Does what takes a password that was given lately, and asks for it if need be.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function freshly(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal && error.type === 'reauthentication_required')) throw error;
    const answer = await ask(page.reauthenticate);
    empty(page.reauthenticateForm);
    if (answer !== 'done') throw new Cancelled();
    return await work();
  }
}

/** @param {Device} device @param {HTMLButtonElement} button */
function logOutDevice(device, button) {
  const work = async () => {
    let ended = 'is logged out';
    try {
      await freshly(() => call('DELETE', `users/sessions/${encodeURIComponent(device.id)}`));
    } catch (error) {
      if (!(error instanceof Refusal && error.type === 'not_found')) throw error;
      ended = 'was logged out already';
    }
    list(devices.filter(({ id }) => id !== device.id));
    say(notices.devices, `${device.device} ${ended}.`);
    element('devices-title', HTMLElement).focus();
  };
  void act(button, work, (refusal) => say(notices.devices, explained(refusal), true));
}

function logOutOthers() {
  const work = async () => {
    const others = devices.filter(({ current }) => !current).length;
    page.confirmText.textContent = `${otherDevices(others)} will have to log in again.`;
    if ((await ask(page.confirm)) !== 'yes') throw new Cancelled();
    const { revoked } = await freshly(() => call('DELETE', 'users/sessions'));
    list(devices.filter(({ current }) => current));
    say(notices.devices, `${otherDevices(revoked)} ${revoked === 1 ? 'is' : 'are'} logged out.`);
    element('devices-title', HTMLElement).focus();
  };
  void act(page.logOutOthers, work, (refusal) => say(notices.devices, explained(refusal), true));
}

/** @param {HTMLButtonElement} button @param {Record<string, string>} values */
function logIn(button, { email, password, remember }) {
  const work = async () => {
    await call('POST', 'users/login', { body: { email, password, remember: remember !== undefined } });
    await load({ hasJustLoggedIn: true });
  };
  send(page.loginForm, button, work);
}

/** @param {HTMLButtonElement} button @param {Record<string, string>} body */
function changePassword(button, body) {
  const work = async () => {
    const { items } = await call('GET', 'users/sessions');
    await call('POST', 'users/password', { body });
    empty(page.passwordForm);
    list(devices.filter(({ current }) => current));
    const count = items.length - 1;
    say(notices.password, `Your password is changed. ${otherDevices(count)} ${count === 1 ? 'is' : 'are'} logged out.`);
  };
  send(page.passwordForm, button, work);
}

/** @param {HTMLButtonElement} button @param {Record<string, string>} body */
function reauthenticate(button, body) {
  const work = async () => {
    await call('POST', 'users/reauthenticate', { body });
    page.reauthenticate.close('done');
  };
  send(page.reauthenticateForm, button, work);
}

/** @param {HTMLFormElement} form @param {HTMLButtonElement} button @param {() => Promise<void>} work */
function send(form, button, work) {
  const sent = async () => {
    clearRefusal(form);
    hidePasswords(form);
    await work();
  };
  void act(button, sent, (refusal) => showRefusal(form, refusal));
}

function logOut() {
  const work = async () => {
    try {
      await call('POST', 'users/logout');
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof Refusal && error.saysLoggedOut)) throw error;
    }
    startOver();
    showOutage(false);
    showLogin('You are logged out.');
  };
  void act(page.logOut, work, (refusal) => say(notices.page, explained(refusal), true));
}

makePasswordsShowable();
makeDialogsClosable();
onSubmit(page.loginForm, logIn);
onSubmit(page.passwordForm, changePassword);
onSubmit(page.reauthenticateForm, reauthenticate);
page.logOut.addEventListener('click', logOut);
page.logOutOthers.addEventListener('click', logOutOthers);

// Another tab may have logged out, or in.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void load();
});
// A page that is left may be shown again as it was, by going back.
addEventListener('pagehide', () => {
  startOver();
  forget();
  show('loading');
});
addEventListener('pageshow', (event) => {
  if (event.persisted) void load();
});
void load();
