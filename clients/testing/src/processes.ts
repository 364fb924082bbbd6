import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** How long anything may take to start, or to end, in milliseconds. */
const PATIENCE = 30_000;

/** A program that runs until it is stopped. It is stopped with this process, too. */
export class Running {
  readonly #child: ChildProcess;
  readonly #killIt: () => void;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#killIt = () => child.kill('SIGKILL');
    process.once('exit', this.#killIt);
  }

  /** Starts it in this folder, with these variables and no others. */
  static start(program: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Running {
    return new Running(spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Waits until a line that it writes to standard output or error gives something. */
  async said<T>(find: (line: string) => T | undefined): Promise<T> {
    const said: string[] = [];
    const found = new Promise<T>((resolve, reject) => {
      const give = (line: string) => {
        said.push(line);
        const value = find(line);
        if (value !== undefined) resolve(value);
      };
      for (const stream of [this.#child.stdout, this.#child.stderr]) eachLine(stream, give);
      this.#child.once('error', reject);
      this.#child.once('exit', (code) => reject(new Error(`it ended (${code}):\n${said.join('\n')}`)));
    });
    return await within(found, () => `it didn't say what it should have said:\n${said.join('\n')}`);
  }

  /** Keeps it from running, as if the machine did nothing else. Connections stay open. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    process.off('exit', this.#killIt);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.thaw();
    this.#child.kill('SIGTERM');
    await within(ended, () => "it didn't end");
  }
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('there is no port');
  return address.port;
}

function eachLine(stream: NodeJS.ReadableStream | null, give: (line: string) => void): void {
  let rest = '';
  stream?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) give(line);
  });
}

async function within<T>(promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), PATIENCE);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
