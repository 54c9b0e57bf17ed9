import { stat } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';

/** So many looks in a row must find nothing: a file system that stumbles is no end. */
const LOOKS = 3;

/** Whether the folder of a run is still there: without it there are no files, no diff and no log that waits. */
export class WorkFolder {
  readonly #gone = new AbortController();
  readonly #dir: string;
  #missed = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout;

  /** @param dir one that nothing makes anew once it is gone */
  constructor(dir: string, lookMs: number) {
    this.#dir = dir;
    const again = () => setTimeout(() => void look(), lookMs);
    const look = async () => {
      this.#missed = (await isMissing(this.#dir)) ? this.#missed + 1 : 0;
      if (this.#isClosed) return;
      if (this.#missed < LOOKS) this.#timer = again();
      else this.#gone.abort(new HangarError('work_folder_gone'));
    };
    this.#timer = again();
  }

  /** Aborts when it is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Looks now, for who has just met an error that would be explained by it. */
  async isGone(): Promise<boolean> {
    return this.gone.aborted || (await isMissing(this.#dir));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

const isMissing = (dir: string): Promise<boolean> =>
  stat(dir).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT' || error.code === 'ENOTDIR',
  );
