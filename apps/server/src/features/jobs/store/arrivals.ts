import { Readable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import { chunksOf } from '../../../platform/blobs/blobs.ts';
import type { Database, Tx } from '../../../platform/database/index.ts';
import { lockThings } from '../../../platform/database/locks.ts';
import { createWaitingLines } from './waiting-line.ts';

/** Room is taken in steps, so that not every chunk asks the database. */
const STEP_BYTES = 8 * 1024 * 1024;
/** What is not heard of for so long has died with its server. */
const LEASE = '10 minutes';
const RENEW_MS = 60_000;
const PATIENCE_MS = 30_000;

export interface Arrival {
  readonly id: string;
  /** Whose room it is: a person's for uploads, a job's for artifacts. */
  readonly owner: string;
  readonly body: Readable;
  readonly signal: AbortSignal;
  /** Of one owner at the same time; who comes later waits for a place. */
  readonly atOnce: number;
  /** All together, with what is there already. */
  readonly mostBytes: number;
  /** Of each as much is let through before it is counted. */
  readonly freeBytes: number;
  readonly used: (tx: Tx) => Promise<number>;
  readonly noRoom: (received: number) => Promise<Error>;
}

/** Bytes on their way. All that arrives for one owner shares one room, over any number of servers. */
export function createArrivals({ db }: Pick<Database, 'db'>) {
  async function enter(id: string, owner: string, atOnce: number): Promise<boolean> {
    return db.transaction(async (tx) => {
      await tx.execute(lockThings('uploads', [owner]));
      const { rowCount } = await tx.execute(sql`
        insert into upload_arriving (id, owner, bytes, until) select ${id}, ${owner}, 0, now() + ${LEASE}::interval
        where (select count(*) from upload_arriving where owner = ${owner} and until > now()) < ${atOnce}`);
      return rowCount === 1;
    });
  }

  /** Takes room for so many bytes in all. False when there is not so much. */
  async function grow({ id, owner, used, mostBytes }: Arrival, bytes: number): Promise<boolean> {
    return db.transaction(async (tx) => {
      await tx.execute(lockThings('uploads', [owner]));
      const there = await used(tx);
      const { rowCount } = await tx.execute(sql`
        update upload_arriving set bytes = ${bytes}, until = now() + ${LEASE}::interval where id = ${id} and ${there + bytes}::bigint +
          (select coalesce(sum(bytes), 0) from upload_arriving where owner = ${owner} and id <> ${id} and until > now()) <= ${mostBytes}::bigint`);
      return rowCount === 1;
    });
  }

  const lines = createWaitingLines();

  async function waitForPlace({ id, owner, atOnce, signal }: Arrival): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    await lines
      .wait(owner, id, () => enter(id, owner, atOnce), AbortSignal.any([signal, patience]))
      .catch((error: unknown) => {
        if (signal.aborted || !patience.aborted) throw error;
        throw new HangarError('rate_limited', {
          message: `${atOnce} of your uploads are on their way already.`,
          details: { retryAfterSeconds: 5 },
        });
      });
  }

  return {
    /**
     * Lets `put` read the body, as much of it as there is room for. The body itself stays as it is: who sent it is answered.
     * @throws HangarError rate_limited; what `noRoom` makes
     */
    async arrive<T>(arrival: Arrival, put: (body: Readable) => Promise<T>): Promise<T> {
      const { id, body, mostBytes, freeBytes } = arrival;
      const step = Math.min(STEP_BYTES, Math.floor(mostBytes / 100));
      let isCounted = false;
      async function* metered(): AsyncGenerator<Buffer> {
        let [received, taken, askedAt] = [0, 0, 0];
        for await (const chunk of chunksOf(body)) {
          const bytes = Buffer.from(chunk);
          received += bytes.length;
          if (!isCounted && received > freeBytes) {
            await waitForPlace(arrival);
            isCounted = true;
          }
          if (isCounted && (received > taken || performance.now() - askedAt > RENEW_MS)) {
            taken = received + step;
            if (!(await grow(arrival, taken))) {
              taken = received;
              if (!(await grow(arrival, taken))) throw await arrival.noRoom(received);
            }
            askedAt = performance.now();
          }
          yield bytes;
        }
      }
      try {
        return await put(Readable.from(metered(), { objectMode: false }));
      } finally {
        if (isCounted) {
          await db.execute(sql`delete from upload_arriving where id = ${id} or until < now()`);
          lines.move(arrival.owner);
        }
      }
    },
  };
}
