import { type SQL, sql } from 'drizzle-orm';

const HANGAR = 0x68616e67; // "hang", so that our advisory locks meet nobody else's

/** Every advisory lock of the server that is not about one thing. */
export const LOCKS = {
  migrate: [HANGAR, 1],
  dataDir: [HANGAR, 2],
  testTemplate: [HANGAR, 3],
  /** Held alone by a backup, shared by whoever removes bytes that a backup may still have to copy. */
  backup: [HANGAR, 4],
  /** Who lets in what waits for a place. */
  admission: [HANGAR, 5],
  /** The master key is changed by one command at a time. */
  rotation: [HANGAR, 6],
  /** Which profile is the default. */
  defaultProfile: [HANGAR, 7],
} as const satisfies Record<string, readonly [number, number]>;

/** Locks about one thing: what is done to it, and which one it is. They have one number of 64 bits, so they meet none of the above. */
export type ThingLock = 'accept' | 'artifacts' | 'uploads' | 'log';

const keyOf = (what: ThingLock, id: SQL): SQL => sql`hashtextextended(${`hangar ${what} `} || ${id}, 0)`;

/** Until the transaction ends, for one server at a time. */
export const lockFor = (lock: readonly [number, number]): SQL =>
  sql`select pg_advisory_xact_lock(${lock[0]}, ${lock[1]})`;

/** The same for some things, always in one order, so that nobody waits for each other. */
export const lockThings = (what: ThingLock, ids: readonly string[]): SQL => sql`
  select pg_advisory_xact_lock(key) from
    (select distinct ${keyOf(what, sql`id`)} as key from unnest(${sql.param([...ids])}::text[]) id order by 1) keys`;

/** For one connection, outside of drizzle: `$1` is the id. */
export const thingKey = (what: ThingLock): string => `hashtextextended('hangar ${what} ' || $1, 0)`;
