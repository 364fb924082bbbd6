/** markt-auth by axios: a session that sends by it, and an instance whose requests carry the session. */

import { isRepeatable, type Pass, type Send, SessionClient, type SessionOptions } from '@markt/auth-core';
import axios, { AxiosError, type AxiosInstance, type AxiosResponse, type CreateAxiosDefaults } from 'axios';

declare module 'axios' {
  interface AxiosRequestConfig {
    /** What the session knows of the request. */
    session?: { pass: Pass; attempts: number };
  }
}

/** How long an answer may take, in milliseconds: a little longer than the service allows itself. */
const TIMEOUT = 15_000;

type WithoutSend<Options> = Options extends unknown ? Omit<Options, 'send'> : never;

/** What a session needs of the app, but for what sends: that is axios. */
export type AxiosSessionOptions = WithoutSend<SessionOptions> & {
  /** Where else the session is to go: the app's own API behind the same login. Without paths, or with. */
  alsoFor?: readonly string[];
  /** What all requests have in common, such as an adapter. */
  axios?: CreateAxiosDefaults;
};

/** A session, and an axios instance whose requests carry it and whose `baseURL` is the service's API. */
export interface AxiosSession {
  session: SessionClient;
  http: AxiosInstance;
}

/** Makes both. */
export function createSession(options: AxiosSessionOptions): AxiosSession {
  const { alsoFor = [], axios: defaults = {}, ...rest } = options;
  const session = new SessionClient({ ...rest, send: axiosSend(axios.create({ timeout: TIMEOUT, ...defaults })) });
  const http = axios.create({
    baseURL: `${options.serviceUrl.replace(/\/+$/, '')}/api/v1`,
    timeout: TIMEOUT,
    ...defaults,
  });
  attachSession(http, session, alsoFor);
  return { session, http };
}

/** Sends by this instance, which must have no session attached. */
export function axiosSend(http: AxiosInstance): Send {
  return async ({ method, url, headers, body, withCredentials }) => {
    const response = await http.request({
      method,
      url,
      headers,
      data: body,
      withCredentials,
      validateStatus: () => true,
    });
    return { status: response.status, body: response.data || undefined, retryAfter: retryAfterOf(response) };
  };
}

/** Has this instance's requests to the service, and to where else is said, carry the session and notice its end. */
export function attachSession(http: AxiosInstance, session: SessionClient, alsoFor: readonly string[] = []): void {
  http.interceptors.request.use(async (config) => {
    const pass = await session.passFor(http.getUri(config), alsoFor);
    if (pass === undefined) return config;
    config.session = { pass, attempts: (config.session?.attempts ?? 0) + 1 };
    config.withCredentials = pass.withCredentials;
    config.headers.set(pass.headers);
    return config;
  });
  http.interceptors.response.use(
    (response) => {
      observe(session, response);
      return response;
    },
    async (error: unknown) => {
      const response = error instanceof AxiosError ? error.response : undefined;
      if (response === undefined) throw error;
      observe(session, response);
      const delay = delayBeforeRetry(session, response);
      if (delay === undefined) throw error;
      await session.sleep(delay);
      return await http.request(response.config);
    },
  );
}

function observe(session: SessionClient, { config, status, data }: AxiosResponse): void {
  if (config.session !== undefined) session.observe(config.session.pass, status, data);
}

function delayBeforeRetry(session: SessionClient, response: AxiosResponse): number | undefined {
  const { config, status } = response;
  if (config.session === undefined || !isRepeatable(config.method ?? 'get')) return undefined;
  return session.retryDelay({ status, retryAfter: retryAfterOf(response), attempts: config.session.attempts });
}

function retryAfterOf({ headers }: AxiosResponse): string | null {
  const value: unknown = headers['retry-after'];
  return typeof value === 'string' ? value : null;
}
