import { setTimeout as sleep } from 'node:timers/promises';
import { getTableConfig } from 'drizzle-orm/pg-core';
import type { Logger } from 'pino';
import type { Database } from '../database/index.ts';
import type { Note } from '../database/notes.ts';
import { createAdmit, type PlacedTable } from './admit.ts';
import type { Limits } from './fairness.ts';

const ADMISSION_CHANNEL = 'hangar_admission';
/** Sent with the commit that makes a place free, or asks for one. What servers of the release before send names no noun. */
export const placesMoved = (noun: string): Note => ({ channel: ADMISSION_CHANNEL, payload: noun });

/** When things come and go by the hundred, who is let in is decided for many at a time. */
const PAUSE_MS = 25;
/** A lost notification costs no more than this. */
const IDLE_MS = 5_000;

export interface Admission {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Lets waiting things of a noun in whenever a place may be free: one pass at a time in this process, under one lock for all servers. */
export function createAdmission(o: {
  readonly table: PlacedTable;
  readonly database: Pick<Database, 'db' | 'listen'>;
  readonly log: Logger;
  /** What these people and the profiles may run of this noun now. */
  readonly limitsOf: (userIds: readonly string[]) => Promise<Limits>;
  /** Of this noun on the whole server. */
  readonly total: number;
}): Admission {
  const { name } = getTableConfig(o.table);
  const admitNow = createAdmit(o.database, o.table);
  let admitting: Promise<void> | null = null;
  let again = false;
  let lastPass = Number.NEGATIVE_INFINITY;
  let listener: { close(): Promise<void> } | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** A poke during a pass, or soon after it, makes another a moment later. */
  function admit(): void {
    again = true;
    admitting ??= passes()
      .catch((error: unknown) => o.log.warn({ err: error, noun: name }, 'cannot admit; trying again'))
      .finally(() => {
        admitting = null;
      });
  }

  async function passes(): Promise<void> {
    while (again) {
      const pause = lastPass + PAUSE_MS - performance.now();
      if (pause > 0) await sleep(pause);
      again = false;
      await admitNow(o.limitsOf, o.total);
      lastPass = performance.now();
    }
  }

  return {
    async start() {
      listener = await o.database.listen(ADMISSION_CHANNEL, (noun) => (noun === '' || noun === name) && admit(), admit);
      timer = setInterval(admit, IDLE_MS);
      admit();
    },
    async stop() {
      clearInterval(timer);
      await listener?.close();
      await admitting;
    },
  };
}
