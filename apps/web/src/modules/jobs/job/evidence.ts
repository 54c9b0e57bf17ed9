import type { JobDetail } from '@hangar/contract';
import { plainText } from '../../../components/log/ansi.ts';
import type { LogBuffer } from '../../../components/log/log-buffer.ts';

export interface EvidenceLine {
  readonly n: number;
  readonly text: string;
  /** The line itself; the others stand around it. */
  readonly isIt: boolean;
}

const BEFORE = 4;
const AFTER = 2;
const CHARACTERS = 400;

/** The line that shows why a job failed, as the server found it, and what stands around it as far as it is loaded. */
export function aroundEvidence(
  buffer: Pick<LogBuffer, 'text' | 'stream'>,
  { n, text }: NonNullable<JobDetail['evidence']>,
): EvidenceLine[] {
  const lines: EvidenceLine[] = [];
  for (let at = n - BEFORE; at <= n + AFTER; at += 1) {
    if (at === n) {
      lines.push({ n, text: text.slice(0, CHARACTERS), isIt: true });
      continue;
    }
    const raw = at < 1 || buffer.stream(at) === 'system' ? undefined : buffer.text(at);
    if (raw !== undefined) lines.push({ n: at, text: plainText(raw.slice(0, CHARACTERS)), isIt: false });
  }
  return lines;
}
