import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      // What only a phone has.
      'expo-secure-store': here('examples/expo/test/secure-store.ts'),
      '@react-native-async-storage/async-storage': '@react-native-async-storage/async-storage/jest/async-storage-mock',
    },
  },
  test: {
    include: ['{core,axios,angular,testing,examples/*}/test/**/*.test.ts'],
    setupFiles: [here('examples/expo/test/setup.ts')],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
