import { setTimeout as sleep } from 'node:timers/promises';
import { HangarError, isClosed, type MachineLoad } from '@hangar/contract';
import type { Logger } from 'pino';
import { isCut } from '../../../platform/waits.ts';
import type { Hand } from '../needs.ts';
import type { SandboxRow } from '../store/sandboxes-tables.ts';

const EVERY_MS = 1_000;
/** A machine that takes longer to say what it uses is out of reach. */
const PROBE_MS = 10_000;

/** Somebody who looks; frames are whole SSE events. */
export interface Viewer {
  write(frame: string): void;
  end(): void;
}

export type LoadLive = ReturnType<typeof createLoadLive>;

/** What machines use, once a second: one probe for all who look at one of them, and none while nobody does. */
export function createLoadLive(o: {
  readonly rowOf: (id: string) => Promise<SandboxRow | null>;
  readonly machineOf: (row: SandboxRow, signal: AbortSignal) => Promise<Pick<Hand, 'load'>>;
  readonly log: Logger;
  readonly everyMs?: number;
}) {
  const looks = new Map<string, { viewers: Set<Viewer>; ending: AbortController; last: string | null }>();

  /** One frame, and whether it is the last. */
  async function probe(id: string, signal: AbortSignal): Promise<{ frame: string; isEnd: boolean }> {
    const row = await o.rowOf(id);
    if (row === null || isClosed(row.state))
      return { frame: frameOf('end', { state: row?.state ?? 'closed' }), isEnd: true };
    try {
      if (row.state === 'paused') throw new HangarError('sandbox_paused');
      if (row.readyAt === null)
        throw new HangarError('driver_unavailable', {
          message: `Its machine is not there yet: ${row.reason}.`,
          wayOut: 'It is asked again by itself.',
        });
      const short = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
      const { at, ...used } = await (await o.machineOf(row, short)).load({ signal: short });
      const elapsedMs = Math.max(0, Date.now() - row.readyAt.getTime());
      const load: MachineLoad = { at: at.toISOString(), elapsedMs, ...used };
      return { frame: frameOf('load', load), isEnd: false };
    } catch (error) {
      const { code, message, wayOut } = awayBecause(error);
      return { frame: frameOf('away', { code, message, wayOut }), isEnd: false };
    }
  }

  async function loop(id: string, look: NonNullable<ReturnType<typeof looks.get>>): Promise<void> {
    const { signal } = look.ending;
    while (!signal.aborted) {
      const { frame, isEnd } = await probe(id, signal);
      if (signal.aborted) return;
      look.last = frame;
      for (const viewer of look.viewers) viewer.write(frame);
      if (isEnd) return stop(id, look);
      await sleep(o.everyMs ?? EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  function stop(id: string, look: NonNullable<ReturnType<typeof looks.get>>): void {
    look.ending.abort();
    if (looks.get(id) === look) looks.delete(id);
    for (const viewer of look.viewers) viewer.end();
    look.viewers.clear();
  }

  return {
    /** Who comes later is shown the last look at once. Gives what ends it. */
    join(id: string, viewer: Viewer): () => void {
      const found = looks.get(id);
      const look = found ?? { viewers: new Set<Viewer>(), ending: new AbortController(), last: null };
      look.viewers.add(viewer);
      if (found === undefined) {
        looks.set(id, look);
        void loop(id, look).catch((error: unknown) => {
          // The database is away: who looks comes back.
          o.log.warn({ err: error, sandbox: id }, 'what a machine uses cannot be looked at');
          stop(id, look);
        });
      } else if (look.last !== null) viewer.write(look.last);
      return () => {
        look.viewers.delete(viewer);
        if (look.viewers.size > 0) return;
        look.ending.abort();
        if (looks.get(id) === look) looks.delete(id);
      };
    },
    close(): void {
      for (const [id, look] of looks) stop(id, look);
    },
  };
}

function awayBecause(error: unknown): HangarError {
  if (error instanceof HangarError) return error;
  if (isCut(error))
    return new HangarError('connection_lost', { message: 'The machine does not say in time what it uses.' });
  return new HangarError('connection_lost', { cause: error });
}

const frameOf = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
