import { AsyncLocalStorage } from 'node:async_hooks';

/** `transaction`: of the pool itself. `session`: beside the pool, for locks that outlive a transaction. */
type Holding = 'transaction' | 'session';

const held = new AsyncLocalStorage<{ readonly what: Holding; open: boolean }>();

/** Runs `work` as one that holds a connection, until it ends; what it leaves behind is free again. */
export async function whileHolding<T>(what: Holding, work: () => Promise<T>): Promise<T> {
  const state = { what, open: true };
  try {
    return await held.run(state, work);
  } finally {
    state.open = false;
  }
}

/**
 * Whoever holds a connection of the pool and waits for another may wait for ever: all may be held by others who do the same. So it is
 * refused at once and each time, not only under load. A session may use the pool; nobody who holds anything may open a session.
 */
export function refuseWhileHolding(wanted: 'a connection of the pool' | 'a session'): void {
  const now = held.getStore();
  if (!now?.open || (now.what === 'session' && wanted === 'a connection of the pool')) return;
  throw new Error(`${wanted} is asked for inside of a ${now.what}: do it before, or with the connection that is held`);
}
