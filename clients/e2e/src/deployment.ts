import { type Keys, Service } from '@markt/auth-testing';
import { example, Site } from './site.js';

/** How the app and the service stand to each other. */
export interface Plan {
  name: string;
  /** The host that the app is served from. */
  app: string;
  /** The host that the service is reached at; none if the app's own server passes requests on. */
  service?: string;
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

/** One origin, by a reverse proxy. */
export const SAME_ORIGIN: Plan = { name: 'same-origin', app: 'localhost', keys: {} };

/** An app and a service that are running. */
export class Deployment {
  readonly origin: string;
  /** Where browsers reach the service. */
  readonly serviceUrl: string;
  readonly service: Service;
  readonly #site: Site;

  private constructor(origin: string, serviceUrl: string, service: Service, site: Site) {
    this.origin = origin;
    this.serviceUrl = serviceUrl;
    this.service = service;
    this.#site = site;
  }

  static async start(plan: Plan): Promise<Deployment> {
    let settings = { config: {} };
    const site = await Site.start(example(() => settings));
    const origin = `http://${plan.app}:${site.port}`;
    const isOwn = plan.service === undefined;
    const service = await Service.start({ MARKT_CORS__ALLOWED_ORIGINS: isOwn ? '' : origin, ...plan.keys });
    const serviceUrl = isOwn ? origin : `http://${plan.service}:${service.port}`;
    const config = { serviceUrl: isOwn ? '' : serviceUrl, checkEvery: 300 };
    settings = isOwn ? Object.assign({ config }, { api: service.url }) : { config };
    return new Deployment(origin, serviceUrl, service, site);
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
    await this.#site.stop();
    await this.service.stop();
  }
}
