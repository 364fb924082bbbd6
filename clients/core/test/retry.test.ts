import { expect, test } from 'vitest';
import { retryAfter } from '../src/errors.js';
import { DEFAULT_RETRY, retryDelay } from '../src/retry.js';

const NOW = Date.parse('2026-01-15T10:30:00Z');

function delay(refused: { status?: number; retryAfter?: string | null; attempts?: number; random?: number }) {
  const { status = 503, retryAfter = null, attempts = 1, random = 0 } = refused;
  const surroundings = { now: () => NOW, sleep: async () => {}, random: () => random };
  return retryDelay(DEFAULT_RETRY, surroundings, { status, retryAfter, attempts });
}

test('each wait is twice as long as the one before, half of it by chance', () => {
  expect([1, 2, 3].map((attempts) => delay({ attempts }))).toEqual([250, 500, 1000]);
  expect([1, 2, 3].map((attempts) => delay({ attempts, random: 1 }))).toEqual([500, 1000, 2000]);
});

test('what the service asks for is waited at least', () => {
  expect(delay({ retryAfter: '2' })).toBe(2000);
  expect(delay({ retryAfter: '2', random: 1 })).toBe(2250);
  expect(delay({ retryAfter: 'Thu, 15 Jan 2026 10:30:05 GMT' })).toBe(5000);
});

test('a wait that nobody would sit out is left to the user', () => {
  expect(delay({ retryAfter: '3600' })).toBeUndefined();
});

test('after the last attempt, and for any other status, nothing is sent again', () => {
  expect(delay({ attempts: 4 })).toBeUndefined();
  for (const status of [401, 403, 429, 500, 502]) expect(delay({ status })).toBeUndefined();
});

test('what is no time is as no header', () => {
  expect(retryAfter('soon', NOW)).toBeUndefined();
  expect(retryAfter(null, NOW)).toBeUndefined();
  expect(retryAfter('Thu, 15 Jan 2026 10:29:00 GMT', NOW)).toBe(0);
});
