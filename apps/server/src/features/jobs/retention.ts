import type { Plan } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Blobs } from '../../platform/blobs/blobs.ts';
import type { KeptJob, RetentionStore } from './retention-store.ts';

export interface RetentionParts {
  readonly store: RetentionStore;
  readonly blobs: Blobs;
  readonly planOf: (userId: string) => Promise<Plan>;
  readonly logBytes: (jobIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly removeLog: (jobId: string) => Promise<void>;
  /** Runs unless a backup is being made, which may still have to copy what would go; then null. */
  readonly whileNoBackup: <T>(work: () => Promise<T>) => Promise<T | null>;
  readonly log: Logger;
}

/** One turn removes at most so much of one person; the next goes on. */
const JOBS_A_TURN = 500;
const PAGE = 500;
/** A blob whose row is not written yet is younger than this. */
const ORPHAN_AGE_MS = 24 * 3600_000;

/**
 * Lets go what plans do not keep. What is to go is marked first, so that nobody is promised it any more, and removed then: a crash in
 * between leaves something to remove again, never a promise of bytes that are gone. May run in any number of servers at once.
 */
export function createRetention(parts: RetentionParts) {
  const { store } = parts;

  async function dropLog(id: string): Promise<boolean> {
    const done = await parts.whileNoBackup(async () => {
      if (await store.markLogRemoved(id)) await parts.removeLog(id);
      return true;
    });
    return done !== null;
  }

  async function dropArtifacts(id: string): Promise<boolean> {
    const done = await parts.whileNoBackup(async () => {
      for (const key of await store.removeArtifacts(id)) await parts.blobs.remove(key);
      return true;
    });
    return done !== null;
  }

  /** Newest first as long as they fit; what is older goes. Answers jobs, oldest last. */
  async function overLimit(userId: string, keepBytes: number, signal: AbortSignal): Promise<KeptJob[]> {
    const over: KeptJob[] = [];
    let total = 0;
    let last: KeptJob | null = null;
    for (;;) {
      signal.throwIfAborted();
      const page: KeptJob[] = await store.kept(userId, last, PAGE);
      const bytes = await parts.logBytes(page.filter(({ hasLog }) => hasLog).map(({ id }) => id));
      for (const job of page) {
        const size = job.artifactBytes + (job.hasLog ? (bytes.get(job.id) ?? 0) : 0);
        total += size;
        if (total > keepBytes && size > 0) over.push(job);
      }
      last = page.at(-1) ?? null;
      if (page.length < PAGE) return over;
    }
  }

  async function ofPerson(userId: string, signal: AbortSignal): Promise<number> {
    const plan = await parts.planOf(userId);
    let removed = 0;
    const each = async (ids: readonly string[], drop: (id: string) => Promise<boolean>) => {
      for (const id of ids) {
        signal.throwIfAborted();
        if (!(await drop(id))) return;
        removed += 1;
      }
    };
    if (plan.keepLogDays !== null) await each(await store.logsBefore(userId, plan.keepLogDays, JOBS_A_TURN), dropLog);
    if (plan.keepArtifactDays !== null)
      await each(await store.artifactsBefore(userId, plan.keepArtifactDays, JOBS_A_TURN), dropArtifacts);
    if (plan.keepBytes !== null) {
      const oldestFirst = (await overLimit(userId, plan.keepBytes, signal)).reverse().slice(0, JOBS_A_TURN);
      const logs = oldestFirst.filter(({ hasLog }) => hasLog).map(({ id }) => id);
      const artifacts = oldestFirst.filter(({ artifactBytes }) => artifactBytes > 0).map(({ id }) => id);
      await each(artifacts, dropArtifacts);
      await each(logs, dropLog);
    }
    return removed;
  }

  return {
    /** One turn over everybody. Answers of how many jobs something was removed. */
    async run(signal: AbortSignal): Promise<number> {
      for (const id of await store.halfRemovedLogs(JOBS_A_TURN)) {
        signal.throwIfAborted();
        await parts.whileNoBackup(() => parts.removeLog(id));
      }
      let removed = 0;
      for (const userId of await store.people()) {
        signal.throwIfAborted();
        removed += await ofPerson(userId, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          parts.log.warn({ err: error, userId }, 'cannot remove what is kept too long');
          return 0;
        });
      }
      if (removed > 0) parts.log.info({ removed }, 'removed logs and artifacts that plans do not keep any longer');
      return removed;
    },

    /** Removes blobs that no row has named for a day: left by a crash between two steps. Answers how many. */
    async sweep(signal: AbortSignal): Promise<number> {
      let removed = 0;
      const before = new Date(Date.now() - ORPHAN_AGE_MS);
      const look = async (keys: readonly string[]) => {
        if (keys.length === 0) return;
        await parts.whileNoBackup(async () => {
          for (const key of await store.unnamed(keys)) {
            await parts.blobs.remove(key);
            removed += 1;
          }
        });
      };
      let keys: string[] = [];
      for await (const key of parts.blobs.list('', { before })) {
        signal.throwIfAborted();
        keys.push(key);
        if (keys.length < PAGE) continue;
        await look(keys);
        keys = [];
      }
      await look(keys);
      removed += await parts.blobs.removeUnfinished(before);
      if (removed > 0) parts.log.info({ removed }, 'removed files that nobody refers to');
      return removed;
    },
  };
}
