import type { IncomingMessage } from 'node:http';
import type { PodLogText } from '../../../features/kubernetes/index.ts';

/** A line longer than this is cut: a container may print gigabytes without an end of line. */
const LINE_MOST = 64 * 1024;
const NEWLINE = 10;

/** What the kubelet sends with `timestamps=true`, as lines; those up to `after` are left out, for its clock of a resume counts seconds. */
export async function* podLogLines(
  response: IncomingMessage,
  after: string | null,
): AsyncGenerator<readonly PodLogText[]> {
  let rest = Buffer.alloc(0);
  let isCut = false;
  let last = after ?? '';
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      const lines: PodLogText[] = [];
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        const line = isCut ? rest : Buffer.concat([rest, chunk.subarray(from, end)]);
        const read = lineOf(line.subarray(0, LINE_MOST).toString('utf8'), last);
        if (after === null || read.at > after) {
          lines.push(read);
          last = read.at;
        }
        rest = Buffer.alloc(0);
        isCut = false;
        from = end + 1;
      }
      if (!isCut) {
        rest = Buffer.concat([rest, chunk.subarray(from)]);
        isCut = rest.length > LINE_MOST;
      }
      if (lines.length > 0) yield lines;
    }
    if (rest.length > 0) yield [lineOf(rest.subarray(0, LINE_MOST).toString('utf8'), last)];
  } finally {
    response.destroy();
  }
}

/** `2026-05-04T14:02:11.123456789Z text`; what has no time, as the kubelet's own words, has that of the line before it. */
function lineOf(line: string, last: string): PodLogText {
  const space = line.indexOf(' ');
  const at = utc(space < 0 ? line : line.slice(0, space));
  if (at === null) return { at: last || utc(new Date().toISOString()) || '', text: line.replace(/\r$/, '') };
  return { at, text: space < 0 ? '' : line.slice(space + 1).replace(/\r$/, '') };
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** In UTC with nine digits, so that times compare as texts; a node writes them in its own zone. */
export function utc(text: string): string | null {
  const [, seconds, fraction = '', zone] = STAMP.exec(text) ?? [];
  if (seconds === undefined) return null;
  const whole = zone === 'Z' ? seconds : new Date(`${seconds}${zone}`).toISOString().slice(0, 19);
  return `${whole}.${fraction.padEnd(9, '0')}Z`;
}
