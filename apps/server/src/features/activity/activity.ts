import { type Activity, type ActivityMessage, HangarError } from '@hangar/contract';
import { sql } from 'drizzle-orm';
import type { Publication } from '../../platform/capability.ts';
import type { Database, Tx } from '../../platform/database/index.ts';
import { lookup } from '../../platform/database/together.ts';
import { newId } from '../../platform/secrets/index.ts';
import type { StoredMessage } from './activity-fold.ts';
import { activityStore } from './activity-store.ts';

export interface Viewer {
  readonly userId: string;
  readonly userName: string;
  /** What is everybody's and not only theirs. */
  readonly everybody: boolean;
}

interface Query {
  readonly limit: number;
  readonly status?: Activity['status'];
  readonly actor?: string;
  readonly correlationId?: string;
}

interface Page {
  readonly current: Activity[];
  readonly recent: Activity[];
}

/** How many that are open a list shows. */
const MOST_CURRENT = 100;
/** How many of one person are kept, of those that are open and of those that ended. */
const KEPT_EACH = 2_000;
/** One that is open is let go only when nothing can belong to it any more: nothing runs for so long. */
const OPEN_DAYS = 60;
const AT_ONCE = 1_000;

/** The activity bus: what is being done, by whom, and how far it is. People see their own, admins everybody's. */
export function createActivity({ db }: Pick<Database, 'db'>) {
  const store = activityStore(db);

  /** Appends within the caller's transaction, so that what is said and what was done commit together. */
  async function publish(tx: Tx, publications: readonly Publication[]): Promise<void> {
    const said = new Map<string, StoredMessage[]>();
    for (const { activityId, message, at, actor, correlationId } of publications) {
      const messages = said.get(activityId) ?? [];
      said.set(activityId, messages);
      const n = messages.length;
      messages.push({ n, activityId, message, at, actorId: actor.id, actorName: actor.name, correlationId });
    }
    await store.publish(tx, said);
  }

  async function one(id: string, viewer: Viewer): Promise<Activity> {
    const activity = await store.find(id);
    if (!activity || (!viewer.everybody && activity.actor.id !== viewer.userId))
      throw new HangarError('activity_not_found');
    return activity;
  }

  /** Who asks at the same time for the same gets the same. */
  const listed = lookup(async (keys) => {
    const pages = keys.map(async (key) => [key, await page(...(JSON.parse(key) as [Viewer, Query]))] as const);
    return new Map(await Promise.all(pages));
  });

  async function page(viewer: Viewer, query: Query): Promise<Page> {
    const { status, limit } = query;
    const [current, recent] = await Promise.all([
      status === undefined || status === 'in_progress' ? newest(true, MOST_CURRENT, viewer, query) : [],
      status === 'in_progress' ? [] : newest(false, limit, viewer, query),
    ]);
    return { current, recent };
  }

  async function newest(isOpen: boolean, limit: number, viewer: Viewer, query: Query): Promise<Activity[]> {
    const { actor, correlationId, status } = query;
    const rest = [
      ...(actor === undefined ? [] : [sql`actor_name = ${actor}`]),
      ...(correlationId === undefined ? [] : [sql`correlation_id = ${correlationId}`]),
    ];
    const where = [
      ...rest,
      ...(status === undefined || isOpen ? [] : [sql`summary->>'status' = ${status}`]),
      sql`true`,
    ];
    const all = sql.join(where, sql` and `);
    if (!viewer.everybody) return store.newestOf(isOpen, sql`owner = ${viewer.userId} and ${all}`, limit);
    return rest.length > 0 ? store.newestAmong(isOpen, all, limit) : store.newestOfAll(isOpen, all, limit);
  }

  return {
    publish,
    get: (viewer: Viewer, id: string): Promise<Activity> => one(id, viewer),
    /** Without ownership: for the live stream, which checks who listens. */
    byId: (id: string): Promise<Activity | null> => store.find(id),

    list: async ({ userId, userName, everybody }: Viewer, query: Query): Promise<Page> =>
      (await listed(JSON.stringify([{ userId, userName, everybody }, query]))) ?? { current: [], recent: [] },

    async start(
      viewer: Viewer,
      input: { operation: string; steps: string[]; correlationId?: string; link?: string },
    ): Promise<Activity> {
      const activityId = newId('a');
      const { correlationId, ...rest } = input;
      await db.transaction((tx) =>
        publish(tx, [
          {
            activityId,
            message: { type: 'DEVOPS_STARTED', ...rest },
            at: new Date(),
            actor: { id: viewer.userId, name: viewer.userName },
            correlationId: correlationId ?? null,
          },
        ]),
      );
      return one(activityId, viewer);
    },

    async say(viewer: Viewer, id: string, message: ActivityMessage, at: Date): Promise<Activity> {
      const before = await one(id, viewer);
      if (message.type === 'DEVOPS_STARTED')
        throw new HangarError('activity_message_invalid', { message: 'This activity has already started.' });
      await db.transaction((tx) =>
        publish(tx, [
          {
            activityId: id,
            message,
            at,
            actor: { id: before.actor.id, name: before.actor.name },
            correlationId: before.correlationId,
          },
        ]),
      );
      return one(id, viewer);
    },

    /** Forgets messages that are a day old, and activities that nobody keeps any longer. One turn of a chore. */
    async tidy(keepDays: number, signal: AbortSignal): Promise<void> {
      const all = async (work: () => Promise<number>) => {
        do signal.throwIfAborted();
        while ((await work()) >= AT_ONCE);
      };
      await all(() => store.settle(AT_ONCE));
      await all(() => store.letGo(false, { days: keepDays, each: KEPT_EACH }, AT_ONCE));
      await all(() => store.letGo(true, { days: Math.max(keepDays, OPEN_DAYS), each: KEPT_EACH }, AT_ONCE));
    },
  };
}
export type ActivityBus = ReturnType<typeof createActivity>;
