export interface Turn {
  /** Aborts when others have waited long enough. */
  readonly over: AbortSignal;
  /** The time of a turn counts from here. */
  begin(): void;
  release(): void;
}

interface Held extends Turn {
  readonly end: AbortController;
  since: number | null;
}

/** So many at once; when more want to, each gets a while and then waits for its next turn. */
export class Turns {
  private readonly places: number;
  private readonly turnMs: number;
  private readonly held = new Set<Held>();
  private readonly waiting: (() => void)[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(places: number, turnMs: number) {
    this.places = places;
    this.turnMs = turnMs;
  }

  /** Rejects with the reason of the signal when that aborts first. */
  take(signal: AbortSignal): Promise<Turn> {
    if (this.held.size < this.places) return Promise.resolve(this.give());
    return new Promise((resolve, reject) => {
      const next = () => {
        signal.removeEventListener('abort', leave);
        resolve(this.give());
      };
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(next), 1);
        reject(signal.reason);
      };
      this.waiting.push(next);
      signal.addEventListener('abort', leave, { once: true });
      this.look();
    });
  }

  private give(): Turn {
    const end = new AbortController();
    const turn: Held = {
      end,
      over: end.signal,
      since: null,
      begin: () => {
        turn.since = Date.now();
        this.look();
      },
      release: () => {
        // Handed on at once: who gives a place up would otherwise be the first to take it again.
        if (this.held.delete(turn)) this.waiting.shift()?.();
      },
    };
    this.held.add(turn);
    return turn;
  }

  /** Ends the longest turn that is over while somebody waits; looks again when the next one will be. */
  private look(): void {
    clearTimeout(this.timer);
    if (this.waiting.length === 0) return;
    const ending = [...this.held].filter(({ end }) => end.signal.aborted).length;
    const begun = [...this.held]
      .filter((turn): turn is Held & { since: number } => turn.since !== null && !turn.over.aborted)
      .sort((a, b) => a.since - b.since);
    let room = this.waiting.length - ending;
    for (const turn of begun) {
      if (room <= 0) return;
      const left = turn.since + this.turnMs - Date.now();
      if (left > 0) {
        this.timer = setTimeout(() => this.look(), left);
        return;
      }
      turn.end.abort();
      room -= 1;
    }
  }
}
