import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { lockThings } from '../../platform/database/locks.ts';

/** Room is taken in steps, so that not every chunk asks the database. */
const STEP_BYTES = 8 * 1024 * 1024;
/** What is not heard of for so long has died with its server. */
const LEASE = '10 minutes';
const RENEW_MS = 60_000;
const LOOK_MS = 200;
const PATIENCE_MS = 30_000;

export interface ArrivalLimits {
  /** Of one person at the same time; who comes later waits for a place. */
  readonly atOnce: number;
  /** All together, with what is there already. */
  readonly mostBytes: number;
  readonly used: (tx: Tx) => Promise<number>;
}

/** Bytes on their way. All that arrives for one person shares one room, over any number of servers. */
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
  async function grow(id: string, owner: string, bytes: number, limits: ArrivalLimits): Promise<boolean> {
    return db.transaction(async (tx) => {
      await tx.execute(lockThings('uploads', [owner]));
      const used = await limits.used(tx);
      const { rowCount } = await tx.execute(sql`
        update upload_arriving set bytes = ${bytes}, until = now() + ${LEASE}::interval where id = ${id} and ${used + bytes}::bigint +
          (select coalesce(sum(bytes), 0) from upload_arriving where owner = ${owner} and id <> ${id} and until > now()) <= ${limits.mostBytes}::bigint`);
      return rowCount === 1;
    });
  }

  return {
    /**
     * Lets `put` read the body, as much of it as there is room for. The body itself stays as it is: who sent it is answered.
     * @throws HangarError rate_limited; what `noRoom` makes
     */
    async receive<T>(
      o: ArrivalLimits & {
        id: string;
        owner: string;
        body: Readable;
        noRoom: (received: number) => Promise<Error>;
        signal: AbortSignal;
      },
      put: (body: Readable) => Promise<T>,
    ): Promise<T> {
      const { id, owner, body, signal } = o;
      const deadline = Date.now() + PATIENCE_MS;
      while (!(await enter(id, owner, o.atOnce))) {
        if (Date.now() > deadline)
          throw new HangarError('rate_limited', {
            message: `${o.atOnce} of your uploads are on their way already.`,
            details: { retryAfterSeconds: 5 },
          });
        await sleep(LOOK_MS, undefined, { signal });
      }
      const step = Math.min(STEP_BYTES, Math.floor(o.mostBytes / 100));
      async function* metered(): AsyncGenerator<Buffer> {
        let [received, taken, askedAt] = [0, 0, performance.now()];
        for await (const chunk of body.iterator({ destroyOnReturn: false })) {
          const bytes = Buffer.from(chunk);
          received += bytes.length;
          if (received > taken || performance.now() - askedAt > RENEW_MS) {
            taken = received + step;
            if (!(await grow(id, owner, taken, o))) {
              taken = received;
              if (!(await grow(id, owner, taken, o))) throw await o.noRoom(received);
            }
            askedAt = performance.now();
          }
          yield bytes;
        }
      }
      try {
        return await put(Readable.from(metered(), { objectMode: false }));
      } finally {
        await db.execute(sql`delete from upload_arriving where id = ${id} or until < now()`);
      }
    },
  };
}
export type Arrivals = ReturnType<typeof createArrivals>;
