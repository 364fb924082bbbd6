import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Keys, Service } from '../src/index.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const GUIDES = `${ROOT}docs/guides/`;

const read = (path: string) => readFileSync(path, 'utf8');

describe('code in the guides', () => {
  // Each block, with the file that it says it is from.
  const blocks = readdirSync(GUIDES).flatMap((guide) => {
    const text = guide.endsWith('.md') && guide !== 'migrating-from-jwt.md' ? read(GUIDES + guide) : '';
    const found = text.matchAll(/(?:<!-- (\S+) -->\n)?```(?:typescript|javascript|html)\n(.*?)```/gs);
    return [...found].map(([, from, code = '']) => ({ guide, from, code, first: code.split('\n')[0]?.trim() }));
  });

  test('is there', () => expect(blocks.length).toBeGreaterThan(10));

  test.each(blocks)('$guide: $first', ({ from, code }) => {
    expect(from, 'where is it from?').toBeDefined();
    expect(read(ROOT + from)).toContain(code.trimEnd());
  });
});

describe("the doctor's word on deployments", () => {
  const cases = read(`${GUIDES}deployments.md`)
    .split(/^##+ /m)
    .flatMap((section) => {
      const asked = /markt-auth doctor --origin (\S+) --service (\S+)\n# (.*)\n/.exec(section);
      const [, origin = '', service = '', conclusion] = asked ?? [];
      const keys = Object.fromEntries(
        [...section.matchAll(/^(MARKT_\w+)=(\S*)$/gm)].map(([, key, value]) => [key, value]),
      );
      return asked === null ? [] : [{ name: section.split('\n')[0], origin, service, conclusion, keys: keys as Keys }];
    });

  let running: Service;
  beforeAll(async () => {
    running = await Service.start();
  });
  afterAll(() => running.stop());

  test('there are some', () => expect(cases).toHaveLength(6));

  test.each(cases)('$name', async ({ origin, service, conclusion, keys }) => {
    // What production needs besides, and the doctor doesn't ask when it is asked for an origin.
    const servers: Keys = {
      MARKT_DATABASE_URL: 'postgres://127.0.0.1/markt',
      MARKT_MAIL__SMTP_URL: 'smtps://127.0.0.1',
    };
    const { out } = await running.commandWith(
      { ...servers, ...keys },
      'doctor',
      '--origin',
      origin,
      '--service',
      service,
    );
    expect(out.trimEnd().split('\n').at(-1)).toBe(conclusion);
  });

  test('all keys in the guides are keys', async () => {
    const known = (JSON.parse((await running.command('config', '--json')).out) as { key: string }[]).map(
      ({ key }) => key,
    );
    const sections = [...new Set(known.map((key) => key.split('.')[0]))].join('|');
    for (const guide of readdirSync(GUIDES).filter((name) => name.endsWith('.md'))) {
      const named = read(GUIDES + guide).matchAll(new RegExp(`\`((?:${sections})\\.[a-z_.]+)(?: = [^\`]*)?\``, 'g'));
      const keys = [...named].map(([, key = '']) => key).filter((key) => !/\.(com|net)$/.test(key));
      for (const key of keys) expect(known, guide).toContain(key);
    }
  });

  test('what it is said to find is what it finds', () => {
    const findings = read(`${ROOT}docs/operations/doctor.md`);
    const rows = read(`${GUIDES}troubleshooting.md`).matchAll(/^\| (`.*?) \|/gm);
    const ids = [...rows].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(?:no |differs )?([a-z-]+)`/g)].map(([, id]) => id),
    );
    expect(ids.length).toBeGreaterThan(20);
    for (const id of ids) expect(findings).toContain(`\`${id}\``);
  });
});
