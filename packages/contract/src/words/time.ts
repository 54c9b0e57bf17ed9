const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `480 ms`, `2.4 s`, `12 s`, `3 min 4 s`, `2 h 10 min`, `4 d 3 h` */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole > 0 && whole < 1000) return `${whole} ms`;
  if (whole < 10_000) return `${Math.floor(whole / 100) / 10} s`;
  if (whole < MINUTE) return `${Math.floor(whole / 1000)} s`;
  if (whole < HOUR) return twoParts(whole, MINUTE, 'min', 1000, 's');
  if (whole < DAY) return twoParts(whole, HOUR, 'h', MINUTE, 'min');
  return twoParts(whole, DAY, 'd', HOUR, 'h');
}

export const formatSeconds = (seconds: number): string => formatDuration(seconds * 1000);

function twoParts(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  const first = `${Math.floor(ms / large)} ${largeUnit}`;
  return rest === 0 ? first : `${first} ${rest} ${smallUnit}`;
}

/** `just now`, `12 s ago`, `3 min ago`, `in 2 h`, `5 d ago`; `20 Oct 2026` when it is more than 30 days away. */
export function relativeTime(at: string | Date, now = Date.now()): string {
  const then = new Date(at);
  const away = Math.abs(now - then.getTime());
  if (Number.isNaN(away)) return '';
  if (away < 5_000) return 'just now';
  if (away > 30 * DAY) return `${then.getDate()} ${MONTHS[then.getMonth()]} ${then.getFullYear()}`;
  const isPast = then.getTime() <= now;
  const [size, unit] =
    away < MINUTE ? [1000, 's'] : away < HOUR ? [MINUTE, 'min'] : away < DAY ? [HOUR, 'h'] : [DAY, 'd'];
  // What lasts for 7 days from now ends in 7 days, also a moment later.
  const amount = `${isPast ? Math.floor(away / size) : Math.round(away / size)} ${unit}`;
  return isPast ? `${amount} ago` : `in ${amount}`;
}

/** From one time to another, or until now. Clocks differ: nothing takes less than nothing. */
export const spanMs = (from: string, to: string | null, now = Date.now()): number =>
  Math.max(0, (to === null ? now : Date.parse(to)) - Date.parse(from));

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
