import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, Running } from './processes.js';

/** The demo accounts' password. */
export const PASSWORD = 'Password123';
/** Who can only buy. */
export const BUYER = { email: 'buyer1@markt.com', password: PASSWORD };
/** Who can buy and sell. */
export const BOTH = { email: 'both1@markt.com', password: PASSWORD };

/** Keys of the service's configuration, as they stand in the environment. */
export type Keys = Record<`MARKT_${string}`, string>;

/** What a command of the service's said, and how it ended. */
export interface Said {
  code: number;
  out: string;
}

/** The service's program. */
function program(): string {
  const path = process.env.MARKT_AUTH;
  if (path === undefined) throw new Error('MARKT_AUTH has to name the program markt-auth');
  return path;
}

/** The service, as a process of its own: users and, unless it is told otherwise, sessions in a SQLite file. */
export class Service {
  readonly url: string;
  readonly #running: Running;
  readonly #folder: string;
  readonly #keys: Keys;
  #redis: Redis | undefined;

  private constructor(url: string, running: Running, folder: string, keys: Keys) {
    this.url = url;
    this.#running = running;
    this.#folder = folder;
    this.#keys = keys;
  }

  /** With the demo's accounts, on a free port. */
  static async start(keys: Keys = {}): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), 'markt-clients-'));
    const all: Keys = {
      MARKT_BIND: '127.0.0.1:0',
      MARKT_ADMIN_BIND: '127.0.0.1:0',
      MARKT_TELEMETRY__LOG_FORMAT: 'json',
      // As cheap as argon2 lets hashes be: what they cost is tested elsewhere.
      MARKT_PASSWORD__MEMORY_KIB: '8',
      MARKT_PASSWORD__ITERATIONS: '1',
      MARKT_LIMITS__LOGIN_PER_ACCOUNT: 'off',
      MARKT_LIMITS__LOGIN_PER_IP: 'off',
      ...keys,
    };
    const running = Running.start(program(), ['serve', '--demo'], { cwd: folder, env: all });
    const address = await running.said((line) => /"message":"serving","address":"([^"]+)"/.exec(line)?.[1]);
    return new Service(`http://${address}`, running, folder, all);
  }

  /**
   * The same with sessions in a Redis of its own, which each request asks, for there is no cache in memory: a test that
   * freezes it makes an outage.
   */
  static async startOnRedis(keys: Keys = {}): Promise<{ service: Service; redis: Redis }> {
    const redis = await Redis.start();
    const asking: Keys = { MARKT_REDIS_URL: redis.url, MARKT_SESSION__NEAR_CACHE__ENABLED: 'false' };
    const service = await Service.start({ ...asking, ...keys }).catch(async (error: unknown) => {
      await redis.stop();
      throw error;
    });
    service.#redis = redis;
    return { service, redis };
  }

  /** The port that it listens on. */
  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Runs another of its commands, on the same configuration. */
  command(...args: string[]): Promise<Said> {
    return this.commandWith(this.#keys, ...args);
  }

  /** Runs one of its commands, on this configuration alone. */
  async commandWith(keys: Keys, ...args: string[]): Promise<Said> {
    const options = { cwd: this.#folder, env: keys };
    try {
      return { code: 0, out: (await promisify(execFile)(program(), args, options)).stdout };
    } catch (error) {
      const { code, stdout } = error as { code?: unknown; stdout?: string };
      if (typeof code !== 'number') throw error;
      return { code, out: stdout ?? '' };
    }
  }

  async stop(): Promise<void> {
    await this.#running.stop();
    await this.#redis?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A Redis of its own, that can be frozen. */
export class Redis {
  readonly url: string;
  readonly #running: Running;

  private constructor(url: string, running: Running) {
    this.url = url;
    this.#running = running;
  }

  static async start(): Promise<Redis> {
    const port = await freePort();
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const running = Running.start('redis-server', args, { cwd: tmpdir(), env: { PATH: process.env.PATH } });
    await running.said((line) => (line.includes('Ready to accept connections') ? true : undefined));
    return new Redis(`redis://127.0.0.1:${port}`, running);
  }

  freeze(): void {
    this.#running.freeze();
  }

  thaw(): void {
    this.#running.thaw();
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }
}
