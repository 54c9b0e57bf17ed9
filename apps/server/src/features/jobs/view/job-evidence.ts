import { stripVTControlCharacters } from 'node:util';
import type { LogLine } from '@hangar/contract';

/** What lines look like that tell of a certain failure, the surest first. The last line that matches is shown. */
const TELLS: Readonly<Record<string, readonly RegExp[]>> = {
  agent_missing: [
    /: (command )?not found\b|: not found$|command not found|is not recognized|unknown command/i,
    /no such file or directory|cannot execute|ENOENT|permission denied|exec format error/i,
  ],
  agent_env_missing: [/api[ _-]?key|auth[ _-]?token|environment variable|not (set|logged in)/i],
  out_of_memory: [
    /out of memory|oom[- ]?kill|\bOOM\b|heap limit|MemoryError|cannot allocate memory|std::bad_alloc|OutOfMemoryError|ENOMEM/i,
    /^\s*(\S+: )?(line \d+: )?.*\bKilled\b/,
  ],
  repo_auth_failed: [
    /authentication failed|access denied|permission denied|could not read (username|password)|invalid username or/i,
    /\b40[13]\b|fatal:/i,
  ],
  repo_not_found: [/not found|does not exist|does not appear to be a git repository/i, /\b404\b|fatal:/i],
  repo_unreachable: [/could not resolve|timed out|connection (refused|reset)|unable to access|unreachable/i, /fatal:/i],
  ref_not_found: [/couldn't find remote ref|unknown revision|did not match any|not our ref/i, /fatal:/i],
  disk_full: [/no space left|ENOSPC|disk quota|EDQUOT/i],
  image_not_found: [/manifest unknown|not found|no such image|pull access denied/i],
};

/** The agent's service refused it: worth more than what the agent said after that. */
const REFUSED =
  /\b(401|403|invalid[ _]api[ _-]?key|incorrect api key|authentication_error|unauthori[sz]ed|not logged in|please (run|log) .*login|credit balance|insufficient_quota|rate_limit_error|overloaded_error)\b/i;
const COMPLAINT =
  /\b(error|fatal|failed|failure|fails|exception|panic(ked)?|denied|refused|not found|cannot|can't|unable to|unauthori[sz]ed|invalid|abort(ed|ing)?|segmentation fault|core dumped|undefined reference|assert(ion)?)\b|traceback|[A-Z][A-Za-z]*(Error|Exception)\b|\bE[A-Z]{4,}\b/i;
/** Complaints that count, or that only point elsewhere: another line says more. */
const POINTER =
  /^\s*(npm (error|ERR!) (A complete log|Lifecycle script|workspace|location|path|command|code ELIFECYCLE|errno)|make(\[\d+\])?: \*\*\*|error Command failed|.*\b0 (errors?|failed|failures)\b|\s+at .+:\d+)/i;
/** Of the worker and the driver: what they say of these is the reason itself. */
const SAID_BY_SYSTEM: ReadonlySet<string> = new Set([
  'repo_auth_failed',
  'repo_not_found',
  'repo_unreachable',
  'ref_not_found',
  'bundle_invalid',
  'image_not_found',
  'image_unsuitable',
  'launch_failed',
  'collect_failed',
  'disk_full',
]);
/** It did what it was told, or nobody knows what it did: only its last word is of use, not a complaint from long before. */
const LAST_WORD: ReadonlySet<string> = new Set(['job_timeout', 'worker_lost', 'job_cancelled']);

/** How much of a line is looked at, and how much of it is shown. */
const LOOKED_AT = 4_000;
const SHOWN = 1_000;

/**
 * The line that shows why a job failed, from the last lines of its log: one that tells of this failure, else the agent's last
 * complaint, else its last word. Null when nobody said anything. Bounded in time whatever the lines hold.
 */
export function evidenceOf(code: string, lines: readonly LogLine[]): { n: number; text: string } | null {
  const all = lines.map(({ n, stream, text }) => ({ n, stream, text: plain(text) })).filter(({ text }) => text !== '');
  const byAgent = all.filter(({ stream }) => stream !== 'system');
  const found =
    (SAID_BY_SYSTEM.has(code) ? telling(code, all) : telling(code, byAgent)) ??
    (LAST_WORD.has(code) ? byAgent.at(-1) : complaintOf(byAgent)) ??
    byAgent.findLast(({ stream }) => stream === 'stderr') ??
    byAgent.at(-1) ??
    (SAID_BY_SYSTEM.has(code) ? all.at(-1) : undefined);
  return found ? { n: found.n, text: found.text.slice(0, SHOWN) } : null;
}

interface Said {
  readonly n: number;
  readonly stream: LogLine['stream'];
  readonly text: string;
}

function telling(code: string, lines: readonly Said[]): Said | undefined {
  for (const tell of TELLS[code] ?? []) {
    const found = lines.findLast(({ text }) => tell.test(text));
    if (found) return found;
  }
  return undefined;
}

function complaintOf(lines: readonly Said[]): Said | undefined {
  const complains = ({ text }: Said) => COMPLAINT.test(text) && !POINTER.test(text);
  return (
    lines.findLast(({ text }) => REFUSED.test(text) && COMPLAINT.test(text)) ??
    lines.findLast((line) => line.stream === 'stderr' && complains(line)) ??
    lines.findLast(complains) ??
    lines.findLast(({ text }) => COMPLAINT.test(text))
  );
}

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Without colours and tricks; of a line that was drawn over itself, what stood there last. */
function plain(text: string): string {
  const whole = text.slice(0, LOOKED_AT).replace(/\r+$/, '');
  const drawn = whole.slice(whole.lastIndexOf('\r') + 1);
  return stripVTControlCharacters(drawn).replace(UNSEEN, '').trimEnd();
}
