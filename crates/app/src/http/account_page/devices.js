/** The list of the devices that the user is logged in on. */

/** @typedef {import('@markt/auth-core').Device} Device */

const LANGUAGE = 'en-GB';

const DAY = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'long' });
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'short' });

/**
 * A day, as people write it.
 *
 * @param {string} time
 * @returns {string}
 */
export function day(time) {
  return DAY.format(new Date(time));
}

/**
 * So many other devices, in words.
 *
 * @param {number} count
 * @returns {string}
 */
export function otherDevices(count) {
  return count === 1 ? 'One other device' : `${count === 0 ? 'No' : count} other devices`;
}

/**
 * Shows these devices in the list, this one first. What was open stays so, and the focus where it was.
 *
 * @param {HTMLElement} list
 * @param {Device[]} devices
 * @param {(device: Device, button: HTMLButtonElement) => void} onLogOut
 */
export function showDevices(list, devices, onLogOut) {
  const items = () => [...list.children].filter((item) => item instanceof HTMLElement);
  const open = items().filter((item) => item.querySelector('details[open]') !== null);
  const opened = new Set(open.map((item) => item.dataset.id));
  const focused = document.activeElement;
  const place = items().find((item) => item.contains(focused))?.dataset.id;
  const sorted = [...devices].sort((one, other) => Number(other.current) - Number(one.current));
  list.replaceChildren(...sorted.map((device) => item(device, opened.has(device.id), onLogOut)));
  const again = place === undefined ? undefined : items().find((item) => item.dataset.id === place);
  const part = again?.querySelector(focused?.localName ?? 'button');
  if (part instanceof HTMLElement) part.focus();
}

/** @param {Device} device @param {boolean} isOpen @param {(device: Device, button: HTMLButtonElement) => void} onLogOut */
function item(device, isOpen, onLogOut) {
  const row = node('li', 'device');
  row.dataset.id = device.id;
  const about = node('div');
  about.append(node('h3', '', device.device));
  if (device.current) about.append(node('span', 'badge', 'This device'));
  const use = node('p', '', device.current ? 'In use now' : 'Last used ');
  if (!device.current) use.append(moment(device.last_activity));
  use.id = `use-${device.id}`;
  about.append(use, details(device, isOpen));
  row.append(about);
  if (!device.current) row.append(logOut(device, use, onLogOut));
  return row;
}

/** @param {Device} device @param {HTMLElement} use @param {(device: Device, button: HTMLButtonElement) => void} onLogOut */
function logOut(device, use, onLogOut) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = 'Log out';
  button.setAttribute('aria-label', `Log out ${device.device}`);
  // Two devices may have the same name.
  button.setAttribute('aria-describedby', use.id);
  button.addEventListener('click', () => onLogOut(device, button));
  return button;
}

/** @param {Device} device @param {boolean} isOpen */
function details(device, isOpen) {
  const details = document.createElement('details');
  details.open = isOpen;
  const facts = document.createElement('dl');
  facts.append(
    fact('Logged in', moment(device.created_at), ` from ${device.ip_address}`),
    fact('Browser or app', device.user_agent === '' ? 'It doesn’t say' : device.user_agent),
    fact('If the browser closes', device.remember ? 'Stays logged in' : 'Is logged out'),
    fact('Ends if unused', moment(device.idle_expires_at)),
    fact('Ends in any case', moment(device.expires_at)),
  );
  details.append(node('summary', '', 'Details'), facts);
  return details;
}

/** @param {string} term @param {(string | Node)[]} description */
function fact(term, ...description) {
  const group = node('div');
  const dd = node('dd');
  dd.append(...description);
  group.append(node('dt', '', term), dd);
  return group;
}

/** @param {string} time */
function moment(time) {
  const element = document.createElement('time');
  element.dateTime = time;
  element.textContent = MOMENT.format(new Date(time));
  return element;
}

/** @param {string} name @param {string} [className] @param {string} [text] @returns {HTMLElement} */
function node(name, className = '', text = '') {
  const element = document.createElement(name);
  if (className !== '') element.className = className;
  element.textContent = text;
  return element;
}
