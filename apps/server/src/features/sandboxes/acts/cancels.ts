import type { Logger } from 'pino';
import type { Database } from '../../../platform/database/index.ts';
import { CANCEL_CHANNEL, type SandboxesStore } from '../store/sandboxes-store.ts';

/** A lost notification costs no more than this. */
const LOOK_MS = 5_000;

/** Tells whoever follows an execution here that it is to end, whichever server was asked. */
export interface Cancels {
  /** Called once, soon after it was asked for, also when that was before. @returns takes it back */
  watch(id: string, onCancel: () => void): () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createCancels(o: {
  readonly database: Pick<Database, 'listen'>;
  readonly store: Pick<SandboxesStore, 'cancelled'>;
  readonly log: Logger;
}): Cancels {
  const watched = new Map<string, () => void>();
  let listener: { close(): Promise<void> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  function tell(id: string): void {
    const onCancel = watched.get(id);
    watched.delete(id);
    onCancel?.();
  }
  function look(ids: readonly string[] = [...watched.keys()]): void {
    if (ids.length === 0) return;
    o.store.cancelled(ids).then(
      (found) => found.forEach(tell),
      (error: unknown) => o.log.debug({ err: error }, 'cannot look for executions that are to end'),
    );
  }

  return {
    watch(id, onCancel) {
      watched.set(id, onCancel);
      look([id]);
      return () => void (watched.get(id) === onCancel && watched.delete(id));
    },
    async start() {
      listener = await o.database.listen(CANCEL_CHANNEL, tell, () => look());
      timer = setInterval(look, LOOK_MS);
    },
    async stop() {
      clearInterval(timer);
      await listener?.close();
    },
  };
}
