import { type QueryClient, replaceEqualDeep } from '@tanstack/react-query';
import type { Api } from './client.tsx';
import { LIVE_NOUNS } from './nouns.ts';

interface Versioned {
  readonly id: string;
  readonly version: number;
}

/** So many things are remembered; those seen last stay. */
const REMEMBERED = 2_000;

/**
 * The newest that was seen of each thing, however it came: by a frame, in an answer to an action, in a list. What is put into the
 * query cache passes through here, so that an answer that was long on its way does not bring back what is over.
 */
export class Newest {
  private readonly seen = new Map<string, Versioned>();

  /** Whether something newer was seen of this thing; if not, this is the newest from now on. */
  isOld(thing: Versioned): boolean {
    const known = this.seen.get(thing.id);
    if (known !== undefined && known.version > thing.version) return true;
    this.remember(thing, known);
    return false;
  }

  /** The same data, with each thing in it as new as it was ever seen. */
  renew(data: unknown): unknown {
    if (Array.isArray(data)) return data.map((part) => this.renew(part));
    if (typeof data !== 'object' || data === null) return data;
    if (isVersioned(data)) return this.isOld(data) ? this.overlaid(data) : data;
    return placed(Object.fromEntries(Object.entries(data).map(([name, part]) => [name, this.renew(part)])));
  }

  /** After a gap nothing is known to be newer than what the server says now: it may have been set back to a backup. */
  forget(): void {
    this.seen.clear();
  }

  private overlaid(old: Versioned): unknown {
    const known = new Map(Object.entries(this.seen.get(old.id) ?? {}));
    return Object.fromEntries(
      Object.entries(old).map(([name, value]) => [name, known.has(name) ? known.get(name) : value]),
    );
  }

  private remember(thing: Versioned, known: Versioned | undefined): void {
    this.seen.delete(thing.id);
    // A list says less of a thing than its own page does.
    this.seen.set(thing.id, known?.version === thing.version ? { ...known, ...thing } : thing);
    const [oldest] = this.seen.keys();
    if (this.seen.size > REMEMBERED && oldest !== undefined) this.seen.delete(oldest);
  }
}

const isVersioned = (value: object): value is Versioned =>
  'id' in value && typeof value.id === 'string' && 'version' in value && typeof value.version === 'number';

/** What an old list of activities counts among those that run may have ended. */
function placed(data: Record<string, unknown>): Record<string, unknown> {
  const { current, recent } = data;
  if (!Array.isArray(current) || !Array.isArray(recent)) return data;
  const isRunning = ({ status }: { status?: unknown }) => status === 'in_progress';
  const ended = current.filter((activity) => !isRunning(activity));
  return ended.length === 0 ? data : { ...data, current: current.filter(isRunning), recent: [...ended, ...recent] };
}

const registers = new WeakMap<QueryClient, Newest>();

/** The register of these queries; from the first call on, what is put into them passes through it. */
export function newestOf(queries: QueryClient, api: Api): Newest {
  const known = registers.get(queries);
  if (known !== undefined) return known;
  const newest = new Newest();
  registers.set(queries, newest);
  const structuralSharing = (before: unknown, data: unknown) => replaceEqualDeep(before, newest.renew(data));
  for (const noun of Object.values(LIVE_NOUNS)) queries.setQueryDefaults(noun.all(api), { structuralSharing });
  return newest;
}
