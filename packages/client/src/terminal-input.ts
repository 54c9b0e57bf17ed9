/** What is typed into a terminal, from the first byte that it is not known to have. */
export class InputOnItsWay {
  readonly #frameMost: number;
  readonly #most: number;
  /** In pieces as they were typed: what belongs together stays in one frame. */
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  /** Bytes before `#waiting`, of all that were ever typed. */
  #taken = 0;
  /** How many pieces of `#waiting` are on their way, and their bytes. */
  #sent = { pieces: 0, bytes: 0 };
  #bytes = 0;
  #drained: (() => void)[] = [];

  constructor(frameMost: number, most: number) {
    this.#frameMost = frameMost;
    this.#most = most;
  }

  /** False: more waits than may be on its way. */
  add(bytes: Uint8Array): boolean {
    for (let from = 0; from < bytes.length; from += this.#frameMost)
      this.#waiting.push(bytes.slice(from, from + this.#frameMost));
    this.#bytes += bytes.length;
    return this.#hasRoom();
  }

  /** What may go on its way now, frame by frame. */
  take(): Uint8Array<ArrayBuffer>[] {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    for (let next = this.#waiting[this.#sent.pieces]; next; next = this.#waiting[this.#sent.pieces]) {
      if (this.#sent.bytes > 0 && this.#sent.bytes + next.length > this.#most) break;
      frames.push(next);
      this.#sent = { pieces: this.#sent.pieces + 1, bytes: this.#sent.bytes + next.length };
    }
    return frames;
  }

  /** So many of all bytes are in. */
  taken(total: number): void {
    for (let more = Math.min(total - this.#taken, this.#sent.bytes); more > 0; ) {
      const first = this.#waiting[0];
      if (first === undefined) break;
      const part = Math.min(more, first.length);
      if (part === first.length) {
        this.#waiting.shift();
        this.#sent.pieces -= 1;
      } else this.#waiting[0] = first.subarray(part);
      this.#sent.bytes -= part;
      this.#bytes -= part;
      this.#taken += part;
      more -= part;
    }
    this.#tell();
  }

  /**
   * A new connection: what was on its way goes again from here. Where the terminal does not know how much of it it has, all of it is
   * dropped: better not typed than typed twice.
   */
  goOn(total: number): void {
    const sent = { ...this.#sent };
    if (total >= this.#taken && total <= this.#taken + sent.bytes) this.taken(total);
    else {
      this.#waiting.splice(0, sent.pieces);
      this.#bytes -= sent.bytes;
      this.#taken = total;
    }
    this.#sent = { pieces: 0, bytes: 0 };
    this.#tell();
  }

  drained(): Promise<void> {
    return this.#hasRoom() ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Nobody waits any more. */
  end(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#tell();
  }

  #tell(): void {
    if (this.#hasRoom()) for (const told of this.#drained.splice(0)) told();
  }

  #hasRoom(): boolean {
    return this.#bytes < this.#most;
  }
}
