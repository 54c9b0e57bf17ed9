import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedKill, Victim } from './plan.ts';
import { killNow } from './processes.ts';
import type { Supervisor } from './supervisor.ts';
import type { Scene } from './victims.ts';

/** A kill as it happened. */
export interface Kill {
  readonly n: number;
  readonly victim: Victim;
  readonly pid: number;
  readonly what: string;
  readonly jobId: string | null;
  readonly at: number;
}

/** How long a short-lived victim is waited for before another is taken. */
const LOOK_MS = 1_500;
const LOOK_AGAIN_MS = 30;
const INSTEAD: readonly Victim[] = ['agent', 'worker', 'server', 'postmaster'];

/** Kills what the plan names at the moments it names; tells each kill. Where nobody of a kind is there, another kind is taken. */
export async function killAll(o: {
  plan: readonly PlannedKill[];
  scene: Scene;
  supervisor: Supervisor;
  onKill: (kill: Kill) => void;
}): Promise<void> {
  for (const planned of o.plan) {
    await sleep(planned.afterMs);
    const kill = await killOne(planned, o.scene, o.supervisor);
    if (kill) o.onKill(kill);
  }
}

async function killOne(planned: PlannedKill, scene: Scene, supervisor: Supervisor): Promise<Kill | null> {
  const { n, pick } = planned;
  for (let round = 0; round < 20; round += 1) {
    for (const victim of [planned.victim, ...INSTEAD]) {
      const deadline = performance.now() + (victim === planned.victim ? LOOK_MS : 0);
      for (;;) {
        const candidates = await scene.candidates(victim, pick);
        const chosen = candidates[Math.floor(pick * candidates.length)];
        const at = performance.now();
        if (chosen && (victim === 'server' ? supervisor.kill() > 0 : killNow(chosen.pid)))
          return { n, victim, ...chosen, at };
        if (performance.now() >= deadline) break;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }
  return null;
}
