import { fork } from 'node:child_process';
import { join } from 'node:path';

export interface Follow {
  readonly host: string;
  readonly port: number;
  readonly key: string;
  readonly path: string;
  readonly followers: number;
  /** Until the end of the log is expected; a minute more is waited for it. */
  readonly seconds: number;
  /** Each follower is cut off once, at a random moment between these, in seconds. */
  readonly cutFrom: number;
  readonly cutTo: number;
}

export interface Followed {
  readonly gaps: number;
  readonly repeats: number;
  readonly reconnects: number;
  /** Followers that did not see the end, or not all lines before it. */
  readonly incomplete: number;
  /** How many events came after so many milliseconds. */
  readonly delays: Uint32Array;
}

export interface FollowResult extends Omit<Followed, 'delays'> {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

export const DELAY_MOST_MS = 60_000;

/** Followers of one log in two processes of their own, with a delay for each event that each of them got. */
export async function follow(task: Follow): Promise<FollowResult> {
  const half = Math.floor(task.followers / 2);
  const parts = await Promise.all(
    [task.followers - half, half].filter((count) => count > 0).map((followers) => start({ ...task, followers })),
  );
  const delays = new Uint32Array(DELAY_MOST_MS + 1);
  for (const part of parts)
    for (let ms = 0; ms < delays.length; ms++) delays[ms] = (delays[ms] ?? 0) + (part.delays[ms] ?? 0);
  const sum = (of: (part: Followed) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    gaps: sum((part) => part.gaps),
    repeats: sum((part) => part.repeats),
    reconnects: sum((part) => part.reconnects),
    incomplete: sum((part) => part.incomplete),
    p50: quantileOf(delays, 0.5),
    p99: quantileOf(delays, 0.99),
    most: quantileOf(delays, 1),
  };
}

async function start(task: Follow): Promise<Followed> {
  const child = fork(join(import.meta.dirname, 'follow-process.ts'), { serialization: 'advanced' });
  try {
    return await new Promise<Followed>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Followed));
      child.once('exit', (code) => reject(new Error(`the followers ended with ${code}`)));
      child.send(task);
    });
  } finally {
    child.kill();
  }
}

function quantileOf(counts: Uint32Array, q: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [ms, count] of counts.entries()) {
    seen += count;
    if (count > 0 && seen >= total * q) return ms;
  }
  return 0;
}
