import { LOG_LINE_BYTES, type LogLine, sizeInWords, type WorkerLine } from '@hangar/contract';
import { cleanLines } from '../log-line.ts';

/** What a writer has to know of a log. */
export interface LogState {
  readonly revision: number;
  readonly lastLine: number;
  readonly bytes: number;
  readonly truncated: boolean;
  readonly ended: boolean;
  /** Highest batch stored, by source. */
  readonly sources: Readonly<Record<string, number>>;
}

export interface Append {
  readonly source: string;
  /** Null for a line of Hangar's own that is not numbered. */
  readonly seq: number | null;
  readonly lines: readonly WorkerLine[];
  /** Infinity: what Hangar itself says, which goes into the log whatever else is cut. */
  readonly maxBytes: number;
}

export interface AppendPlan {
  /** For each append, the highest batch of its source that is stored once the plan is. */
  readonly acks: readonly number[];
  readonly lines: readonly LogLine[];
  readonly next: LogState;
  /** False: there is nothing to write. */
  readonly changed: boolean;
  /** A batch did not follow the one before it, as far as this state knows. */
  readonly gap: boolean;
}

/** Decides what a group of appends does to a log: numbers lines, drops what was stored before, refuses gaps, cuts at the limit. */
export function planAppend(state: LogState, appends: readonly Append[], now: number): AppendPlan {
  if (state.ended)
    return { acks: appends.map(({ seq }) => seq ?? 0), lines: [], next: state, changed: false, gap: false };
  const sources = { ...state.sources };
  const lines: LogLine[] = [];
  let { lastLine, bytes, truncated } = state;
  let changed = false;
  let gap = false;

  const add = (line: Omit<LogLine, 'n'>) => {
    lastLine += 1;
    bytes += costOf(line.text);
    lines.push({ n: lastLine, ...line });
  };
  const addLimited = (line: WorkerLine, maxBytes: number) => {
    for (const clean of cleanLines(line, now)) {
      if (bytes + costOf(clean.text) > maxBytes) {
        truncated = true;
        const text = `The log has reached its limit of ${sizeInWords(maxBytes)}; what follows is not kept.`;
        add({ at: new Date(now).toISOString(), stream: 'system', text });
        return;
      }
      add(clean);
    }
  };

  for (const append of inOrder(appends)) {
    const { source, seq } = append;
    const stored = sources[source] ?? 0;
    if (seq === null) {
      for (const line of append.lines) addLimited(line, Number.POSITIVE_INFINITY);
      changed = true;
    } else if (seq === stored + 1) {
      sources[source] = seq;
      const always = append.maxBytes === Number.POSITIVE_INFINITY;
      for (const line of append.lines) if (always || !truncated) addLimited(line, append.maxBytes);
      changed = true;
    } else if (seq > stored) {
      gap = true;
    }
  }
  return {
    acks: appends.map(({ source }) => sources[source] ?? 0),
    lines,
    next: { ...state, revision: state.revision + (changed ? 1 : 0), lastLine, bytes, truncated, sources },
    changed,
    gap,
  };
}

/** What a line costs of the limit: about what it is when stored. */
const costOf = (text: string): number => Buffer.byteLength(text) + LOG_LINE_BYTES;

/** As they came, but the batches of one source by number: two connections of a worker may overtake each other. */
function inOrder(appends: readonly Append[]): Append[] {
  const bySource = new Map<string, Append[]>();
  for (const append of appends) {
    const list = bySource.get(append.source) ?? [];
    list.push(append);
    bySource.set(append.source, list);
  }
  for (const list of bySource.values()) list.sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  return appends.flatMap(({ source }) => bySource.get(source)?.shift() ?? []);
}
