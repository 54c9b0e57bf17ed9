import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedKill, Victim } from './plan.ts';
import { killNow } from './processes.ts';

export interface Candidate {
  readonly pid: number;
  readonly what: string;
  /** The job or execution it works for; null for what serves all. */
  readonly of: string | null;
  /** In place of a kill of the process. False: it was gone already. */
  readonly strike?: () => boolean | Promise<boolean>;
}

/** Candidates of one kind, in the order of their numbers. `pick` chooses the machine that is looked into. */
export type Candidates<V> = (victim: V, pick: number) => Promise<Candidate[]>;

/** A kill as it happened. */
export interface Kill<V extends string = Victim> extends Candidate {
  readonly n: number;
  readonly victim: V;
  readonly at: number;
}

/** How long a short-lived victim is waited for before another is taken. */
const LOOK_MS = 1_500;
const LOOK_AGAIN_MS = 30;

/** Kills what the plan names at the moments it names; tells each kill. Where nobody of a kind is there, another kind is taken. */
export async function killAll<V extends string>(o: {
  plan: readonly PlannedKill<V>[];
  candidates: Candidates<V>;
  instead: readonly V[];
  onKill: (kill: Kill<V>) => void;
}): Promise<void> {
  for (const planned of o.plan) {
    await sleep(planned.afterMs);
    const kill = await killOne(planned, o.candidates, o.instead);
    if (kill) o.onKill(kill);
  }
}

async function killOne<V extends string>(
  planned: PlannedKill<V>,
  candidates: Candidates<V>,
  instead: readonly V[],
): Promise<Kill<V> | null> {
  const { n, pick } = planned;
  for (let round = 0; round < 20; round += 1) {
    for (const victim of [planned.victim, ...instead]) {
      const deadline = performance.now() + (victim === planned.victim ? LOOK_MS : 0);
      for (;;) {
        const found = await candidates(victim, pick);
        const chosen = found[Math.floor(pick * found.length)];
        const at = performance.now();
        if (chosen && (await (chosen.strike?.() ?? killNow(chosen.pid)))) return { n, victim, ...chosen, at };
        if (performance.now() >= deadline) break;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }
  return null;
}
