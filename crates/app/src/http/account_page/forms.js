/** Forms and dialogs: what is filled in, what is wrong with it, and what is asked. */

/** @typedef {import('./api.js').Refusal} Refusal */

/**
 * The element with this id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * Calls this with what was filled in, when the form is sent.
 *
 * @param {HTMLFormElement} form
 * @param {(button: HTMLButtonElement, values: Record<string, string>) => void} send
 */
export function onSubmit(form, send) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const button = form.querySelector('button[type=submit]');
    if (!(button instanceof HTMLButtonElement)) return;
    const filledIn = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
    send(button, Object.fromEntries(filledIn));
  });
}

/**
 * Shows what was refused: beside the fields that it is about, the first of which gets the focus, or above them.
 *
 * @param {HTMLFormElement} form
 * @param {Refusal} refusal
 */
export function showRefusal(form, refusal) {
  const wrongPassword = refusal.type === 'wrong_password' ? passwords(form)[0] : undefined;
  const wrong = inputs(form).filter((input) => input === wrongPassword || input.name in refusal.fields);
  for (const input of wrong) {
    const messages = refusal.fields[input.name] ?? [refusal.message];
    input.setAttribute('aria-invalid', 'true');
    element(`${input.id}-error`, HTMLElement).textContent = messages.join(' ');
  }
  wrong[0]?.focus();
  if (wrong.length === 0) say(form, explained(refusal));
}

/**
 * Takes away what was said of the form.
 *
 * @param {HTMLFormElement} form
 */
export function clearRefusal(form) {
  say(form, '');
  for (const input of inputs(form)) {
    input.removeAttribute('aria-invalid');
    element(`${input.id}-error`, HTMLElement).textContent = '';
  }
}

/**
 * Empties the form, and hides its passwords.
 *
 * @param {HTMLFormElement} form
 */
export function empty(form) {
  form.reset();
  clearRefusal(form);
  hidePasswords(form);
}

/**
 * Hides the form's passwords again: browsers may remember what stands in plain text.
 *
 * @param {HTMLFormElement} form
 */
export function hidePasswords(form) {
  for (const button of form.querySelectorAll('button.reveal')) reveal(button, false);
}

/** Makes the buttons work that show passwords. */
export function makePasswordsShowable() {
  for (const button of document.querySelectorAll('button.reveal')) {
    button.addEventListener('click', () => reveal(button, input(button)?.type === 'password'));
  }
}

/**
 * Asks, and resolves with the value of the button that was pressed; with nothing if none was. The browser gives the
 * focus back to where it was.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<string>}
 */
export function ask(dialog) {
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true });
  });
}

/** Makes the buttons of dialogs close them. */
export function makeDialogsClosable() {
  for (const dialog of document.querySelectorAll('dialog')) {
    for (const button of dialog.querySelectorAll('button')) {
      if (button.hasAttribute('value')) button.addEventListener('click', () => dialog.close(button.value));
    }
  }
}

/**
 * What was refused, in words, and when to try again.
 *
 * @param {Refusal} refusal
 * @returns {string}
 */
export function explained({ message, wait, isOutage, status }) {
  const text = message.replace(/[.,]? (try again (later|shortly))?$|\.$/, '');
  if (status === 429 && wait !== undefined) return `${text}. Please try again in ${duration(wait)}.`;
  return isOutage ? `${text}. Please try again in a moment.` : `${text}.`;
}

/** @param {number} seconds */
function duration(seconds) {
  const [number, unit] = seconds < 60 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}

/** @param {Element} button @param {boolean} isShown */
function reveal(button, isShown) {
  const shown = input(button);
  if (shown === undefined || button.firstChild === null) return;
  shown.type = isShown ? 'text' : 'password';
  button.firstChild.nodeValue = isShown ? 'Hide' : 'Show';
}

/** The input that a button is for. @param {Element} button @returns {HTMLInputElement | undefined} */
function input(button) {
  return element(button.getAttribute('aria-controls') ?? '', HTMLInputElement);
}

/** The form's fields that can be wrong. @param {HTMLFormElement} form */
function inputs(form) {
  return [...form.querySelectorAll('input')].filter((input) => input.id !== '');
}

/** @param {HTMLFormElement} form */
function passwords(form) {
  return inputs(form).filter((input) => input.autocomplete === 'current-password');
}

/** @param {HTMLFormElement} form @param {string} text */
function say(form, text) {
  const refusal = form.querySelector('.refusal');
  if (refusal !== null) refusal.textContent = text;
}
