import { type Keys, Service } from '@markt/auth-testing';
import { selfSigned } from './certificate.js';
import { example, proxy, Site } from './site.js';

/** How the app and the service stand to each other. */
export interface Plan {
  name: string;
  /** The host that the app is served from. */
  app: string;
  /** The host that the service is reached at; none if the app's own server passes requests on. */
  service?: string;
  /** Whether both are reached by https. */
  isSecure?: boolean;
  keys: Keys;
}

/** The subdomains of one site. */
export const SUBDOMAINS: Plan = { name: 'subdomains', app: 'app.markt.test', service: 'auth.markt.test', keys: {} };

/** Two sites, with a cookie that browsers keep for the app's site alone. */
export const CROSS_SITE: Plan = {
  name: 'cross-site',
  app: 'localhost',
  service: '127.0.0.1',
  keys: { MARKT_COOKIE__SAME_SITE: 'None', MARKT_COOKIE__SECURE: 'true', MARKT_COOKIE__PARTITIONED: 'true' },
};

/** The subdomains of one site by https, with a cookie that no other host can set or see. */
export const HTTPS: Plan = {
  name: 'https',
  app: 'app.markt.test',
  service: 'auth.markt.test',
  isSecure: true,
  keys: { MARKT_COOKIE__NAME: '__Host-markt_session', MARKT_COOKIE__SECURE: 'true' },
};

/** One origin, by a reverse proxy. */
export const SAME_ORIGIN: Plan = { name: 'same-origin', app: 'localhost', keys: {} };

/** An app and a service that are running. */
export class Deployment {
  readonly origin: string;
  /** Where browsers reach the service. */
  readonly serviceUrl: string;
  readonly service: Service;
  /** The app's server, and those between browsers and the service. */
  readonly #sites: Site[];

  private constructor(origin: string, serviceUrl: string, service: Service, sites: Site[]) {
    this.origin = origin;
    this.serviceUrl = serviceUrl;
    this.service = service;
    this.#sites = sites;
  }

  static async start({ app, service: host, isSecure = false, keys }: Plan): Promise<Deployment> {
    let settings = { config: {} };
    const certificate = isSecure ? await selfSigned(['*.markt.test']) : undefined;
    const scheme = isSecure ? 'https' : 'http';
    const site = await Site.start(
      example(() => settings),
      certificate,
    );
    const origin = `${scheme}://${app}:${site.port}`;
    const isOwn = host === undefined;
    const service = await Service.start({ MARKT_CORS__ALLOWED_ORIGINS: isOwn ? '' : origin, ...keys });
    const front = certificate === undefined ? undefined : await Site.start(proxy(service.url), certificate);
    const serviceUrl = isOwn ? origin : `${scheme}://${host}:${(front ?? service).port}`;
    const config = { serviceUrl: isOwn ? '' : serviceUrl, checkEvery: 300 };
    settings = isOwn ? Object.assign({ config }, { api: service.url }) : { config };
    return new Deployment(origin, serviceUrl, service, front === undefined ? [site] : [site, front]);
  }

  /** What the doctor says of logins from the app. */
  async doctor(): Promise<{ code: number; login: string; rules: Record<string, string> }> {
    const { code, out } = await this.service.command(
      'doctor',
      '--json',
      '--origin',
      this.origin,
      '--service',
      this.serviceUrl,
    );
    const { login, rules } = JSON.parse(out).origin;
    const verdicts = rules.map(({ id, verdict }: { id: string; verdict: string }) => [id, verdict]);
    return { code, login, rules: Object.fromEntries(verdicts) };
  }

  async stop(): Promise<void> {
    for (const site of this.#sites) await site.stop();
    await this.service.stop();
  }
}
