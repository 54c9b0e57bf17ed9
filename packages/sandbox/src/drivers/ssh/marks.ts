import { randomBytes } from 'node:crypto';
import { Transform } from 'node:stream';

/** Longer is no mark of ours, whoever printed it. */
const LONGEST_NOTE = 256;
/** What came before the first mark, for people: the end of it. */
const LONGEST_NOISE = 2_000;

/**
 * What a script says among the output of a program: files of a login shell and the program itself print to the same streams, so what is
 * ours stands between two control characters with a name that nobody can know before.
 */
export interface Marks {
  /** How a script prints it, with sh text for what it says: `printf` and its words. Takes no quotes. */
  print(kind: 'start' | 'gone' | 'end', note?: string): string;
  /**
   * A stream without the marks and without all that came before the first. `onMark` hears them in order.
   * It keeps nothing back but what may be the beginning of a mark.
   */
  filter(onMark: (kind: string, note: string) => void): Transform & { noise(): string };
}

export function createMarks(): Marks {
  const name = `hangar-${randomBytes(12).toString('hex')}-`;
  const opening = Buffer.from(`\x1e${name}`, 'latin1');

  return {
    print: (kind, note = '') => `printf '\\036%s\\036' "${name}${kind} ${note}"`,

    filter(onMark) {
      let started = false;
      let noise = '';
      let held = Buffer.alloc(0);
      const pass = (to: Transform, bytes: Buffer) => {
        if (bytes.length === 0) return;
        if (started) to.push(bytes);
        else noise = (noise + bytes.toString('latin1')).slice(-LONGEST_NOISE);
      };
      const stream = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          let rest = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
          held = Buffer.alloc(0);
          for (;;) {
            const at = rest.indexOf(opening);
            if (at === -1) {
              const kept = beginningAtTheEnd(rest, opening);
              pass(this, rest.subarray(0, rest.length - kept));
              held = Buffer.from(rest.subarray(rest.length - kept));
              return done();
            }
            const closing = rest.indexOf(0x1e, at + opening.length);
            const end = closing - at > opening.length + LONGEST_NOTE ? -1 : closing;
            if (closing === -1 && rest.length - at < opening.length + LONGEST_NOTE) {
              pass(this, rest.subarray(0, at));
              held = Buffer.from(rest.subarray(at));
              return done();
            }
            pass(this, rest.subarray(0, at));
            if (end === -1) {
              pass(this, rest.subarray(at, at + opening.length));
              rest = rest.subarray(at + opening.length);
              continue;
            }
            started = true;
            const [kind = '', ...note] = rest.toString('utf8', at + opening.length, end).split(' ');
            onMark(kind, note.join(' '));
            rest = rest.subarray(end + 1);
          }
        },
        flush(done) {
          pass(this, held);
          done();
        },
      });
      return Object.assign(stream, { noise: () => noise });
    },
  };
}

/** How many bytes at the end of `bytes` are the beginning of `mark`. */
function beginningAtTheEnd(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(mark.length - 1, bytes.length); length > 0; length -= 1) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}
