/** A session of a program's own: it logs in when it has to, and sends the secret itself. */
export class Job {
  readonly #api: string;
  readonly #credentials: { email: string; password: string };
  #secret: string | undefined;

  constructor(service: string, credentials: { email: string; password: string }) {
    this.#api = `${service}/api/v1`;
    this.#credentials = credentials;
  }

  /** Sends a request to the API, and logs in first, or anew, where that is needed. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    this.#secret ??= await this.#logIn();
    const answer = await this.#send(path, init, this.#secret);
    if (answer.status !== 401) return answer;
    this.#secret = await this.#logIn();
    return await this.#send(path, init, this.#secret);
  }

  async logOut(): Promise<void> {
    if (this.#secret !== undefined) await this.#send('/users/logout', { method: 'POST' }, this.#secret);
    this.#secret = undefined;
  }

  #send(path: string, init: RequestInit, secret: string): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${secret}`);
    return fetch(this.#api + path, { ...init, headers });
  }

  async #logIn(): Promise<string> {
    const answer = await fetch(`${this.#api}/users/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Session-Transport': 'bearer' },
      body: JSON.stringify({ ...this.#credentials, remember: false }),
    });
    if (!answer.ok) throw new Error(`The login was refused (${answer.status})`);
    const { token } = (await answer.json()) as { token: string };
    return token;
  }
}
