import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a server proves itself with. */
export interface Certificate {
  key: Buffer;
  cert: Buffer;
}

/** A certificate for these hosts, which nobody has signed but its own key. */
export async function selfSigned(hosts: string[]): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'markt-certificate-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const names = hosts.map((host) => `DNS:${host}`).join();
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const named = ['-subj', '/CN=markt-auth e2e', '-addext', `subjectAltName=${names}`];
  try {
    await promisify(execFile)('openssl', ['req', ...made, ...named, '-keyout', key, '-out', cert]);
    return { key: await readFile(key), cert: await readFile(cert) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
