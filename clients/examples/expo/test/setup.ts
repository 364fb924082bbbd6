/** AsyncStorage's mock is made for Jest. */

import { vi } from 'vitest';

Object.assign(globalThis, { jest: vi });
