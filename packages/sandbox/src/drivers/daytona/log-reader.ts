export type StreamName = 'stdout' | 'stderr';

/**
 * Puts right what the SDK's reader of logs gets wrong. Daytona sends lines, each behind three bytes 1 or three bytes 2; the reader takes them
 * out, but where a frame ends just behind them it leaves them in the text and goes on with the stream before.
 * @returns takes what the reader calls with, in order, and gives it by streams
 */
export function createRelabel(): (kind: StreamName, text: string) => [StreamName, string][] {
  let before: StreamName | null = null;
  let current: StreamName = 'stdout';
  let isAtStart = true;
  let held = '';
  return (kind, text) => {
    const out: [StreamName, string][] = [];
    if (before !== null && kind !== before) {
      // The reader saw a label itself, also in the middle of a line: long lines of both streams may get mixed.
      if (held !== '') out.push([current, held]);
      held = '';
      current = kind;
      isAtStart = false;
    }
    before = kind;
    let rest = held + text;
    held = '';
    while (rest !== '') {
      if (isAtStart) {
        const label = LABELS.find(([mark]) => rest.startsWith(mark));
        if (label === undefined && LABELS.some(([mark]) => mark.startsWith(rest))) {
          held = rest;
          break;
        }
        current = label?.[1] ?? kind;
        isAtStart = false;
        rest = rest.slice(label?.[0].length ?? 0);
        continue;
      }
      const end = rest.indexOf('\n') + 1;
      const line = end === 0 ? rest : rest.slice(0, end);
      out.push([current, line]);
      isAtStart = end !== 0;
      rest = rest.slice(line.length);
    }
    return out;
  };
}

const LABELS = [
  ['\u0001\u0001\u0001', 'stdout'],
  ['\u0002\u0002\u0002', 'stderr'],
] as const;

export interface Marked {
  /** What of this is certainly output. */
  push(text: string): string;
  /** The exit code, once the mark of the end has come; nothing is output behind it. */
  readonly code: number | null;
}

/** Finds the marks of `sessionLine` in one stream, in pieces of any size, and takes them out. Nothing before the first is output. */
export function createMarked(token: string): Marked {
  const begin = `${token}<;\n`;
  const end = `${token}:`;
  let held = '';
  let hasBegun = false;
  let code: number | null = null;
  return {
    get code() {
      return code;
    },
    push(text) {
      if (code !== null) return '';
      held += text;
      if (!hasBegun) {
        const at = held.indexOf(begin);
        if (at === -1) {
          held = held.slice(-begin.length);
          return '';
        }
        hasBegun = true;
        held = held.slice(at + begin.length);
      }
      const at = held.indexOf(end);
      const cut = at === -1 ? held.length - overlap(held, end) : at;
      const out = held.slice(0, cut);
      held = held.slice(cut);
      const found = at === -1 ? null : /^(\d{1,3});/.exec(held.slice(end.length));
      if (found !== null) code = Number(found[1]);
      return out;
    },
  };
}

/** How much of the end of `text` may be the beginning of `mark`. */
function overlap(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length -= 1) {
    if (mark.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
