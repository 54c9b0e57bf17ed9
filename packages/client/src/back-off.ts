/** Before the next try, the last of them again and again. */
const PAUSES_MS: readonly number[] = [300, 1000, 2000, 4000, 8000, 15_000];
/** A stream that brings nothing is there again once it has lived so long: some proxies open each one and close it at once. */
const SETTLED_MS = 3000;

export interface BackOffOptions {
  readonly signal: AbortSignal;
  readonly pauses?: readonly number[] | undefined;
  /** How long nothing may come on before the break is thrown; for ever when left out. */
  readonly patienceMs?: number;
  /** Whether another try may mend it. */
  readonly isPassing: (error: unknown) => boolean;
  /** Said at each break, with how many there were since something last came. */
  readonly onLost?: (error: unknown, before: number) => void;
  /** Said whenever something comes. */
  readonly onProgress?: () => void;
}

/** What to do when a connection breaks, again and again: pauses that grow until something has come, and an end to patience. */
export class BackOff {
  readonly #o: BackOffOptions;
  #lostAt: number | null = null;
  #breaks = 0;
  #wake: (() => void) | null = null;

  constructor(o: BackOffOptions) {
    this.#o = o;
  }

  /** What was asked for has come, or a part of it that was not there before. Only this makes the next break the first one. */
  progress(): void {
    this.#o.onProgress?.();
    this.#lostAt = null;
    this.#breaks = 0;
  }

  /** A stream stands. Answers what to call when it is over. */
  opened(): () => void {
    const timer = setTimeout(() => this.progress(), SETTLED_MS);
    return () => clearTimeout(timer);
  }

  /** The next try is now. */
  retry(): void {
    this.#wake?.();
  }

  /**
   * Waits until it is time for another try. Throws what no other try would mend at once, and the break itself when the patience is
   * over.
   */
  async again(error: unknown): Promise<void> {
    const { signal, pauses = PAUSES_MS, patienceMs = Number.POSITIVE_INFINITY, isPassing, onLost } = this.#o;
    signal.throwIfAborted();
    if (!isPassing(error)) throw error;
    this.#lostAt ??= Date.now();
    onLost?.(error, this.#breaks);
    if (Date.now() - this.#lostAt > patienceMs) throw error;
    const pause = pauses[Math.min(this.#breaks++, pauses.length - 1)] ?? 0;
    // Whoever lost the same server does not come back in the same moment.
    await this.#pause(pause * (0.7 + Math.random() * 0.6));
    signal.throwIfAborted();
  }

  /** Repeats work that breaks until it is done. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await work();
        this.progress();
        return done;
      } catch (error) {
        await this.again(error);
      }
    }
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#o;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
      signal.addEventListener('abort', done);
    });
  }
}
