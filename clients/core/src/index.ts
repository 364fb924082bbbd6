export type {
  Credentials,
  Device,
  ErrorBody,
  ErrorType,
  Profile,
  Registration,
  Role,
  Session,
  Switched,
  User,
} from './api.js';
export { followOtherTabs } from './browser.js';
export { SessionClient, type SessionOptions } from './client.js';
export { ApiError, Unreachable } from './errors.js';
export { fetchSend } from './fetch.js';
export { type EndReason, type Pass, SECRET_KEY, type SessionEnd, type SessionState } from './keeper.js';
export { RECORD_KEY, RECORD_MAX_AGE } from './record.js';
export { DEFAULT_RETRY, isRepeatable, machine, type RetryPolicy, type Surroundings } from './retry.js';
export { type KeyValueStorage, keyChain, memoryStorage, type SecureStore } from './storage.js';
export type { Send, WireRequest, WireResponse } from './wire.js';
