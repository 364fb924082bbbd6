import type { SessionClient } from './client.js';
import { RECORD_KEY } from './record.js';

/** Has a page see what other tabs do: a login, or a logout. Returns what stops it. */
export function followOtherTabs(session: SessionClient, page: Window = window): () => void {
  const onStorage = ({ key }: StorageEvent) => {
    // No key: the whole storage was cleared.
    if (key === RECORD_KEY || key === null) void session.reload();
  };
  page.addEventListener('storage', onStorage);
  return () => page.removeEventListener('storage', onStorage);
}
