import { plainText } from '../../components/log/ansi.ts';
import type { LogBuffer } from '../../components/log/log-buffer.ts';

export interface EvidenceLine {
  readonly n: number;
  readonly text: string;
}

const LINES = 8;
const LOOK_BACK = 1000;
const CHARACTERS = 400;

/** The last lines on standard error, or the last of all where there are none: what shows why a job failed. */
export function evidenceOf(buffer: LogBuffer): EvidenceLine[] {
  const stderr: EvidenceLine[] = [];
  const any: EvidenceLine[] = [];
  for (let n = buffer.total; n > Math.max(0, buffer.total - LOOK_BACK) && stderr.length < LINES; n -= 1) {
    const raw = buffer.text(n);
    if (raw === undefined) continue;
    const stream = buffer.stream(n);
    if (stream === 'system') continue;
    const line = { n, text: plainText(raw.slice(0, CHARACTERS)) };
    if (line.text.trim() === '') continue;
    if (stream === 'stderr') stderr.push(line);
    if (any.length < LINES) any.push(line);
  }
  return (stderr.length > 0 ? stderr : any).reverse();
}
