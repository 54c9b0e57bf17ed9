import { plural } from './number.ts';
import { formatDuration } from './time.ts';

const SLOW_TIMES = 3;
/** Below this nobody waits, whatever the proportion. */
const SLOW_MS = 2000;

/** How many times the usual it has taken; null when that is nothing to speak of. */
export function timesUsual(ms: number | null, usualMs: number | undefined): number | null {
  if (ms === null || usualMs === undefined || ms - usualMs < SLOW_MS) return null;
  const times = ms / Math.max(usualMs, 1);
  return times > SLOW_TIMES ? times : null;
}

/** `usually 4 s`, or how many times of that it has taken. */
export const usualWords = (times: number | null, usualMs: number): string =>
  times === null
    ? `usually ${formatDuration(usualMs)}`
    : `${times < 10 ? times.toFixed(1) : 'over 10'} times the usual ${formatDuration(usualMs)}`;

/** The server names no time that is past, so what is over is about now, by its clock and not by ours. */
const PAST_MS = 2500;

/** `3 to 5 min left, from 12 earlier jobs`; null when nobody can know. */
export function etaWords(
  eta: { readonly earliestAt: string; readonly latestAt: string; readonly basis: number } | null,
  now = Date.now(),
): string | null {
  if (eta === null) return null;
  const earliest = Date.parse(eta.earliestAt) - now;
  const latest = Date.parse(eta.latestAt) - now;
  const basis = `from ${plural(eta.basis, 'earlier job')}`;
  if (latest <= PAST_MS) return `longer than usual, ${basis}`;
  if (earliest <= 0) return `ends within ${roughly(latest)}, ${basis}`;
  const [low, high] = [roughly(earliest), roughly(latest)];
  if (low === high) return `about ${low} left, ${basis}`;
  const [lowCount, lowUnit] = low.split(' ');
  const sameUnit = lowUnit === high.split(' ')[1];
  return `${sameUnit ? lowCount : low} to ${high} left, ${basis}`;
}

/** One number and a unit: an estimate needs no more. */
function roughly(ms: number): string {
  if (ms < 90_000) return `${Math.max(5, Math.round(ms / 5000) * 5)} s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
