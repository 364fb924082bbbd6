// Writes src/openapi.ts from the OpenAPI document that the service prints; with `--check`, says whether it is up to date.
// MARKT_AUTH names the service's program.

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';

const file = new URL('../src/openapi.ts', import.meta.url);
const program = process.env.MARKT_AUTH;
if (!program) throw new Error('MARKT_AUTH has to name the program markt-auth');

const { stdout } = await promisify(execFile)(program, ['openapi'], { maxBuffer: 16 * 1024 * 1024 });
const types = COMMENT_HEADER + astToString(await openapiTS(stdout, { defaultNonNullable: false }));

if (!process.argv.includes('--check')) {
  await writeFile(file, types);
} else if ((await readFile(file, 'utf8')) !== types) {
  process.stderr.write('core/src/openapi.ts is not what the OpenAPI document says: run `npm run generate`\n');
  process.exitCode = 1;
}
