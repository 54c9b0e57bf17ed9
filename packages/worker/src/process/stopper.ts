import { setTimeout as sleep } from 'node:timers/promises';
import type { Usage, WorkOrder } from '@hangar/contract';
import type { WorkerChannel } from '../server/channel.ts';

export interface Stop {
  readonly code: 'job_cancelled' | 'job_timeout' | 'work_folder_gone';
  readonly reason: string;
}

/** Who asked to stop, and why; the first one counts. */
export class Stopper {
  readonly #controller = new AbortController();
  why: Stop | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(why: Stop | null): void {
    if (this.signal.aborted) return;
    this.why = why;
    this.#controller.abort(new Error(why?.reason ?? 'fenced'));
  }
}

/** Reports go out in order and one after the other, without making the work wait for a server that is away. */
export class Reports {
  readonly #channel: WorkerChannel;
  readonly #signal: AbortSignal;
  #chain: Promise<void> = Promise.resolve();

  constructor(channel: WorkerChannel, signal: AbortSignal) {
    this.#channel = channel;
    this.#signal = signal;
  }

  add(report: { phase?: 'cloning' | 'running' | 'collecting'; commit?: string; usage?: Usage }): void {
    const full = { ...report, at: new Date().toISOString() };
    this.#chain = this.#chain
      .then(() => this.#channel.report(full, { signal: this.#signal }))
      // Refused for good or over: the job itself does not depend on it.
      .catch(() => undefined);
  }

  settled(): Promise<void> {
    return this.#chain;
  }
}

/** Heartbeats until the run is over; a cancel in an answer stops the agent. */
export async function listen(
  order: WorkOrder,
  channel: WorkerChannel,
  stopper: Stopper,
  signal: AbortSignal,
  log: ((message: string) => void) | undefined,
): Promise<void> {
  const waitSeconds = Math.min(30, Math.max(0, order.heartbeatSeconds));
  while (!signal.aborted && !channel.fenced.aborted) {
    const asked = performance.now();
    try {
      const orders = await channel.orders({ waitSeconds, signal });
      if (orders.cancel) {
        stopper.stop({ code: 'job_cancelled', reason: orders.reason ?? 'The job was cancelled.' });
        // The server answers a cancelled job at once, every time: from here only the lease counts.
        await sleep(Math.max(1, waitSeconds / 2) * 1000, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      if (!signal.aborted && !channel.fenced.aborted)
        log?.(`heartbeat: ${error instanceof Error ? error.message : error}`);
    }
    if (performance.now() - asked < 500) await sleep(500, undefined, { signal }).catch(() => undefined);
  }
}
