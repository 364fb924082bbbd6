import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Certificate } from './certificate.js';

/** The Angular example, as it was built. */
const APP = fileURLToPath(new URL('../../examples/angular/dist/browser', import.meta.url));

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Pages on a free port of this machine. */
export class Site {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** With a certificate, by https. */
  static async start(handler: Handler, certificate?: Certificate): Promise<Site> {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      handler(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    };
    const server = certificate === undefined ? createServer(answer) : createTlsServer(certificate, answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the site has no port');
    return new Site(server, address.port);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Serves the example, with this as its `config.json`; the API too, if `api` says where it is. */
export function example(settings: () => { config: object; api?: string }): Handler {
  return async (request, response) => {
    const { config, api } = settings();
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    if (pathname === '/config.json') return send(response, 'application/json', JSON.stringify(config));
    if (api !== undefined && pathname.startsWith('/api/')) return forward(api, request, response);
    const file = extname(pathname) === '' ? 'index.html' : normalize(pathname);
    const type = TYPES[extname(file)];
    if (type === undefined) return void response.writeHead(404).end();
    send(response, type, await readFile(join(APP, file)));
  };
}

/** A page of this HTML, whatever is asked for. */
export function page(html: string): Handler {
  return async (_, response) =>
    send(response, 'text/html', `<!doctype html><html lang="en"><title>Page</title>${html}`);
}

function send(response: ServerResponse, type: string, content: string | Buffer): void {
  response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-store' }).end(content);
}

/** Passes all on to this server. */
export function proxy(to: string): Handler {
  return async (request, response) => forward(to, request, response);
}

/** As a reverse proxy does it, with the host that the browser asked for. */
export function forward(to: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url = '/', headers } = incoming;
  const outgoing = request(new URL(url, to), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.writeHead(502).end());
  incoming.pipe(outgoing);
}
