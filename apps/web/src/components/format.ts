const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `now`, `12 s ago`, `3 min ago`, `in 2 h`, `5 d ago`; a date when it is more than 30 days away. */
export function relativeTime(at: string | Date, now: number): string {
  const then = new Date(at).getTime();
  const away = Math.abs(now - then);
  if (Number.isNaN(then)) return '';
  if (away < 5_000) return 'now';
  if (away > 30 * DAY) return new Date(then).toLocaleDateString(undefined, { dateStyle: 'medium' });
  const amount =
    away < MINUTE
      ? `${Math.floor(away / 1000)} s`
      : away < HOUR
        ? `${Math.floor(away / MINUTE)} min`
        : away < DAY
          ? `${Math.floor(away / HOUR)} h`
          : `${Math.floor(away / DAY)} d`;
  return then <= now ? `${amount} ago` : `in ${amount}`;
}

/** The whole time with its zone, as shown on hover. */
export function absoluteTime(at: string | Date): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
}

/** `14:02:11` */
export const clockTime = (at: string | Date): string => new Date(at).toLocaleTimeString(undefined, { hour12: false });

/** `480 ms`, `12.4 s`, `3 min 4 s`, `2 h 10 min`, `4 d 3 h` */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < 1000) return `${Math.round(whole)} ms`;
  if (whole < 10_000) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`;
  if (whole < MINUTE) return `${Math.floor(whole / 1000)} s`;
  if (whole < HOUR) return join(whole, MINUTE, 'min', 1000, 's');
  if (whole < DAY) return join(whole, HOUR, 'h', MINUTE, 'min');
  return join(whole, DAY, 'd', HOUR, 'h');
}

function join(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  return rest === 0
    ? `${Math.floor(ms / large)} ${largeUnit}`
    : `${Math.floor(ms / large)} ${largeUnit} ${rest} ${smallUnit}`;
}

/** `0 B`, `1.2 kB`, `3.4 MB`, `2 GB`: files and traffic. Memory and limits are `sizeInWords` of the contract. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 || value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
  return `${text} ${units[unit]}`;
}

/** `12,345` */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** `1 job`, `3 jobs` */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;
