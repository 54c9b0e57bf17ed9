import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finish, WorkOrder } from '@hangar/contract';
import { HangarError } from '@hangar/contract';
import { within } from '../deadline.ts';
import type { Git } from '../git/git.ts';
import type { JobLog } from '../log/job-log.ts';
import type { Masker } from '../mask/mask.ts';
import type { Places } from '../places.ts';
import type { WorkerChannel } from '../server/channel.ts';
import type { Base } from '../source/source.ts';
import { type Collected, collectDiff } from './diff.ts';

const DIFF_NAME = 'diff';

/** What of a run its diffs are made from and where they go. */
interface DiffRun {
  readonly order: WorkOrder;
  readonly channel: WorkerChannel;
  readonly log: JobLog;
  readonly masker: Masker;
  readonly places: Places;
  readonly git: Git;
  readonly patience: { readonly collectMs: number };
  /** For who looks after the machine. */
  readonly note: ((message: string) => void) | undefined;
}

interface Kind {
  readonly partial: boolean;
  /** Made while the agent works. */
  readonly isCheckpoint: boolean;
}

/** The diffs of one run: partial ones while the agent works, the last one at the end. */
export class Diffs {
  readonly #run: DiffRun;
  #base: Base | null = null;
  #uploadedTree: string | null = null;
  #count = 0;
  saved: Finish['diff'] = null;

  constructor(run: DiffRun) {
    this.#run = run;
  }

  get begun(): boolean {
    return this.#base !== null;
  }

  begin(base: Base): void {
    this.#base = base;
  }

  async saveEvery(seconds: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(Math.min(seconds * 1000, 2 ** 31 - 1), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      // A partial diff that fails is only a chance missed; the last one speaks up.
      await this.#save({ partial: true, isCheckpoint: true }, signal).catch((error: unknown) => {
        this.#run.note?.(`checkpoint: ${error instanceof Error ? error.message : error}`);
      });
    }
  }

  /** The last one. */
  save(partial: boolean, signal: AbortSignal): Promise<Finish['diff']> {
    return this.#save({ partial, isCheckpoint: false }, signal);
  }

  /** A git that somebody killed is tried once more: the files are still there, and nothing else will bring them home. */
  async #save(kind: Kind, signal: AbortSignal): Promise<Finish['diff']> {
    try {
      return await this.#collect(kind, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof HangarError) || error.code !== 'git_killed') throw error;
      return this.#collect(kind, signal);
    }
  }

  async #collect({ partial, isCheckpoint }: Kind, signal: AbortSignal): Promise<Finish['diff']> {
    const { git, places, order, channel, log, masker, patience } = this.#run;
    if (!this.#base) return null;
    const file = join(places.run, `diff-${++this.#count}.patch`);
    // Of making it alone: handing it over takes as long as the server is away.
    const limit = within([signal], patience.collectMs);
    const collected: Collected | null = await collectDiff(
      {
        git,
        store: places.store,
        tree: places.tree,
        index: join(places.run, 'index'),
        baseTree: this.#base.tree,
        excludesFile: join(places.run, 'excludes'),
        maxFileBytes: order.limits.artifactBytes,
        signal: limit.signal,
        isCheckpoint,
        say: (text) => {
          if (!isCheckpoint) log.system(text);
        },
      },
      file,
      partial ? (this.#uploadedTree ?? this.#base.tree) : null,
    ).finally(() => limit.done());
    if (!collected) return this.saved;
    const { sizeBytes } = collected.stat;
    if (sizeBytes > order.limits.artifactBytes)
      throw new HangarError('quota_artifacts', {
        message: `The diff is ${sizeBytes} bytes; your plan allows ${order.limits.artifactBytes}.`,
      });
    await channel.upload(
      { name: DIFF_NAME, kind: 'diff', partial, file, sizeBytes, sha256: collected.sha256, counts: collected.stat },
      { signal },
    );
    this.#uploadedTree = collected.tree;
    const { leftOut, ...counts } = collected.stat;
    this.saved = { ...counts, partial, ...(leftOut ? { leftOut: leftOut.map((text) => masker.mask(text)) } : {}) };
    return this.saved;
  }
}
