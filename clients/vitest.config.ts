import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{core,axios,angular,examples/*}/test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
