import type { Plan } from '@hangar/contract';
import type { Logger } from 'pino';

/** What a plan keeps for some time, or up to some size. */
export type KeptKind = 'log' | 'artifacts';

/** An ended thing that keeps something. */
export interface KeptThing {
  readonly id: string;
  readonly endedAt: Date;
  /** Of what is there. */
  readonly bytes: Readonly<Partial<Record<KeptKind, number>>>;
}

/** A noun whose ended things leave something behind. Things are only ever touched when they and their log have ended. */
export interface Keeper {
  /** Whose ended things keep something. */
  people(): Promise<readonly string[]>;
  /** Things that keep this and ended longer ago, oldest first. */
  olderThan(userId: string, kind: KeptKind, days: number, limit: number): Promise<readonly string[]>;
  /** Things that keep something, newest first, after `before` when given. */
  kept(userId: string, before: KeptThing | null, limit: number): Promise<readonly KeptThing[]>;
  /** Says first that it is gone, so that nobody is promised it any more, and removes it then: after a crash there is something to remove. */
  drop(id: string, kind: KeptKind): Promise<void>;
  /** Things of which something was to go and is still there: whoever said so died on the way. */
  halfDropped(limit: number): Promise<readonly { readonly id: string; readonly kind: KeptKind }[]>;
}

export interface RetentionParts {
  readonly keepers: readonly Keeper[];
  readonly planOf: (userId: string) => Promise<Plan>;
  /** Runs unless a backup is being made, which may still have to copy what would go; then null. */
  readonly whileNoBackup: <T>(work: () => Promise<T>) => Promise<T | null>;
  readonly log: Logger;
}

/** One turn removes at most so much of one person; the next goes on. */
const A_TURN = 500;
const PAGE = 500;

interface Goner {
  readonly keeper: Keeper;
  readonly id: string;
  readonly kind: KeptKind;
}

/** Lets go what plans do not keep. May run in any number of servers at once. */
export function createRetention({ keepers, planOf, whileNoBackup, log }: RetentionParts) {
  /** Answers how many went: none any more once a backup is being made. */
  async function drop(all: readonly Goner[], signal: AbortSignal): Promise<number> {
    for (const [index, { keeper, id, kind }] of all.entries()) {
      signal.throwIfAborted();
      const done = await whileNoBackup(async () => {
        await keeper.drop(id, kind);
        return true;
      });
      if (done === null) return index;
    }
    return all.length;
  }

  async function tooOld(userId: string, kind: KeptKind, days: number | null): Promise<Goner[]> {
    if (days === null) return [];
    const found = await Promise.all(
      keepers.map(async (keeper) =>
        (await keeper.olderThan(userId, kind, days, A_TURN)).map((id) => ({ keeper, id, kind })),
      ),
    );
    return found.flat();
  }

  /** Newest first as long as they fit, whatever noun they are of; what is older goes, the oldest first. */
  async function tooMuch(userId: string, keepBytes: number, signal: AbortSignal): Promise<Goner[]> {
    const over: Goner[] = [];
    let total = 0;
    for await (const { keeper, thing } of newestFirst(keepers, userId)) {
      signal.throwIfAborted();
      const { id, bytes } = thing;
      const size = (bytes.log ?? 0) + (bytes.artifacts ?? 0);
      total += size;
      if (total <= keepBytes || size === 0) continue;
      for (const kind of ['log', 'artifacts'] as const) if (kind in bytes) over.push({ keeper, id, kind });
    }
    return over.reverse().slice(0, 2 * A_TURN);
  }

  async function ofPerson(userId: string, signal: AbortSignal): Promise<number> {
    const plan = await planOf(userId);
    let removed = await drop(await tooOld(userId, 'log', plan.keepLogDays), signal);
    removed += await drop(await tooOld(userId, 'artifacts', plan.keepArtifactDays), signal);
    if (plan.keepBytes !== null) removed += await drop(await tooMuch(userId, plan.keepBytes, signal), signal);
    return removed;
  }

  /** One turn over everybody. Answers how often something was removed. */
  return async (signal: AbortSignal): Promise<number> => {
    for (const keeper of keepers)
      await drop(
        (await keeper.halfDropped(A_TURN)).map((half) => ({ keeper, ...half })),
        signal,
      );
    let removed = 0;
    const people = new Set((await Promise.all(keepers.map((keeper) => keeper.people()))).flat());
    for (const userId of people) {
      signal.throwIfAborted();
      removed += await ofPerson(userId, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.warn({ err: error, userId }, 'cannot remove what is kept too long');
        return 0;
      });
    }
    if (removed > 0) log.info({ removed }, 'removed logs and artifacts that plans do not keep any longer');
    return removed;
  };
}

/** All things of a person, the newest of all nouns first. */
async function* newestFirst(keepers: readonly Keeper[], userId: string) {
  const heads = await Promise.all(
    keepers.map(async (keeper) => {
      const things = pages(keeper, userId);
      return { keeper, things, next: await things.next() };
    }),
  );
  for (;;) {
    const open = heads.flatMap((head) => (head.next.done ? [] : [{ head, thing: head.next.value }]));
    const [first, ...others] = open;
    if (first === undefined) return;
    const newest = others.reduce((best, each) => (each.thing.endedAt > best.thing.endedAt ? each : best), first);
    yield { keeper: newest.head.keeper, thing: newest.thing };
    newest.head.next = await newest.head.things.next();
  }
}

async function* pages(keeper: Keeper, userId: string): AsyncGenerator<KeptThing, void> {
  let last: KeptThing | null = null;
  for (;;) {
    const page: readonly KeptThing[] = await keeper.kept(userId, last, PAGE);
    yield* page;
    last = page.at(-1) ?? null;
    if (page.length < PAGE) return;
  }
}
