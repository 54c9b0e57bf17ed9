import { type Activity, type ActivityMessage, HangarError } from '@hangar/contract';
import { and, asc, desc, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../platform/database/index.ts';
import { lookup } from '../../platform/database/together.ts';
import { foldActivity, type StoredMessage } from './activity-fold.ts';
import { activityMessages } from './activity-tables.ts';

export interface Publication {
  readonly activityId: string;
  readonly message: ActivityMessage;
  readonly at: Date;
  readonly actor: { readonly id: string | null; readonly name: string };
  readonly correlationId: string | null;
}

export interface Viewer {
  readonly userId: string;
  readonly userName: string;
  readonly role: 'admin' | 'member';
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

/** How many of the newest activities a list looks through. */
const WINDOW = 200;

/** The activity bus: what is being done, by whom, and how far it is. People see their own, admins everybody's. */
export function createActivity(o: { database: Database; newId: () => string; channel: string }) {
  const { db } = o.database;

  /** Appends within the caller's transaction, so that what is said and what was done commit together. */
  async function publish(tx: Tx, publications: readonly Publication[]): Promise<void> {
    if (publications.length === 0) return;
    const rows = publications.map(({ activityId, message, at, actor, correlationId }) => ({
      activity_id: activityId,
      at,
      type: message.type,
      message,
      actor_id: actor.id,
      actor_name: actor.name,
      correlation_id: correlationId,
    }));
    const told = new Set(
      publications.map(({ activityId, actor }) =>
        JSON.stringify({ type: 'activity', id: activityId, userId: actor.id }),
      ),
    );
    await tx.execute(sql`
      with said as (insert into activity_message (activity_id, at, type, message, actor_id, actor_name, correlation_id)
        select r.activity_id, r.at, r.type, r.message, r.actor_id, r.actor_name, r.correlation_id
        from jsonb_array_elements(${JSON.stringify(rows)}::jsonb) with ordinality e(value, place)
        cross join lateral jsonb_populate_record(null::activity_message, e.value) r order by e.place)
      select pg_notify(${o.channel}, told) from jsonb_array_elements_text(${JSON.stringify([...told])}::jsonb) told`);
  }

  async function messagesOf(where: SQL | undefined): Promise<StoredMessage[]> {
    return db
      .select()
      .from(activityMessages)
      .where(where)
      .orderBy(asc(activityMessages.n))
      .limit(WINDOW * 40);
  }

  async function one(id: string, viewer: Viewer): Promise<Activity> {
    const activity = foldActivity(await messagesOf(eq(activityMessages.activityId, id)));
    if (!activity || (viewer.role !== 'admin' && activity.actor.id !== viewer.userId))
      throw new HangarError('activity_not_found');
    return activity;
  }

  /** Folds hundreds of messages: who asks at the same time for the same gets the same. */
  const listed = lookup(async (keys) => {
    const pages = keys.map(async (key) => [key, await fold(...(JSON.parse(key) as [Viewer, Query]))] as const);
    return new Map(await Promise.all(pages));
  });

  async function fold(viewer: Viewer, query: Query): Promise<Page> {
    const newest = await db
      .select({ id: activityMessages.activityId })
      .from(activityMessages)
      .where(
        and(
          // As its index says it.
          sql`type = 'DEVOPS_STARTED'`,
          viewer.role === 'admin' ? undefined : eq(activityMessages.actorId, viewer.userId),
          query.actor === undefined ? undefined : eq(activityMessages.actorName, query.actor),
          query.correlationId === undefined ? undefined : eq(activityMessages.correlationId, query.correlationId),
        ),
      )
      .orderBy(desc(activityMessages.n))
      .limit(WINDOW);
    if (newest.length === 0) return { current: [], recent: [] };
    const groups = new Map<string, StoredMessage[]>();
    for (const message of await messagesOf(
      inArray(
        activityMessages.activityId,
        newest.map(({ id }) => id),
      ),
    )) {
      const group = groups.get(message.activityId);
      if (group) group.push(message);
      else groups.set(message.activityId, [message]);
    }
    const activities = [...groups.values()]
      .flatMap((group) => foldActivity(group) ?? [])
      .filter((activity) => query.status === undefined || activity.status === query.status);
    const current = activities
      .filter((activity) => activity.status === 'in_progress')
      .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
    const recent = activities
      .filter((activity) => activity.status !== 'in_progress')
      .sort((a, b) => ((a.completedAt ?? '') < (b.completedAt ?? '') ? 1 : -1));
    return { current: current.slice(0, 100), recent: recent.slice(0, query.limit) };
  }

  return {
    publish,
    get: (viewer: Viewer, id: string): Promise<Activity> => one(id, viewer),
    /** Without ownership: for the live stream, which checks who listens. */
    async byId(id: string): Promise<Activity | null> {
      return foldActivity(await messagesOf(eq(activityMessages.activityId, id)));
    },

    list: async ({ userId, userName, role }: Viewer, query: Query): Promise<Page> =>
      (await listed(JSON.stringify([{ userId, userName, role }, query]))) ?? { current: [], recent: [] },

    async start(
      viewer: Viewer,
      input: { operation: string; steps: string[]; correlationId?: string; link?: string },
    ): Promise<Activity> {
      const activityId = o.newId();
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
  };
}
export type ActivityBus = ReturnType<typeof createActivity>;
