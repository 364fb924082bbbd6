import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A browser, a service and two pages at a time are enough for one machine.
    fileParallelism: false,
  },
});
