export { browserFetch } from './browser.js';
export { freePort, Running } from './processes.js';
export { BOTH, BUYER, type Keys, PASSWORD, Redis, type Said, Service } from './service.js';
