/** One frame of a text/event-stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

/** Takes a text/event-stream apart (WHATWG HTML §9.2.6), in pieces as they arrive. */
export class EventStreamParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;

  /** Whether nothing of a next frame is here yet: who stops now loses nothing. */
  get isBetween(): boolean {
    return this.rest === '' && this.data.length === 0;
  }

  /** The frames that this piece completes. */
  push(piece: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    const text = this.rest + piece;
    // A lone CR at the end may be the first half of CRLF.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0)
          events.push({ event: this.event === '' ? 'message' : this.event, data: this.data.join('\n'), id: this.id });
        this.event = '';
        this.data = [];
      } else this.field(line);
    }
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.event = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.id = value;
  }
}
