import type { LogLine } from '@hangar/contract';

/** What a line looks like that tells of a certain failure. The last line that matches is shown. */
const TELLS: Readonly<Record<string, RegExp>> = {
  agent_missing: /not found|No such file|is not installed|cannot execute/i,
  out_of_memory: /out of memory|\bOOM\b|heap limit|MemoryError|cannot allocate|\bKilled\b/i,
  repo_auth_failed: /authentication|permission denied|could not read (username|password)|\b40[13]\b/i,
  disk_full: /no space left|ENOSPC|disk quota/i,
};
const COMPLAINT =
  /\b(error|fatal|failed|failure|exception|panic|denied|refused|not found|unauthori[sz]ed|invalid)\b|traceback/i;

/**
 * The line that shows why a job failed, from the last lines of its log: one that tells of this failure, else the agent's last
 * complaint, else its last word. Null when the agent said nothing.
 */
export function evidenceOf(code: string, lines: readonly LogLine[]): { n: number; text: string } | null {
  const byAgent = lines.filter((line) => line.text.trim() !== '' && line.stream !== 'system');
  const tells = TELLS[code];
  const found =
    (tells && lines.findLast((line) => tells.test(line.text) && line.stream !== 'system')) ??
    byAgent.findLast((line) => line.stream === 'stderr' && COMPLAINT.test(line.text)) ??
    byAgent.findLast((line) => COMPLAINT.test(line.text)) ??
    byAgent.findLast((line) => line.stream === 'stderr') ??
    byAgent.at(-1);
  return found ? { n: found.n, text: found.text.slice(0, 1_000) } : null;
}
