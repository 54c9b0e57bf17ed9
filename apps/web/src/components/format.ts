export { formatCount, plural } from '@hangar/contract/words/number';
export { formatDuration, relativeTime } from '@hangar/contract/words/time';

/** The whole time with its zone, as shown on hover. */
export function absoluteTime(at: string | Date): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
}

/** `14:02:11` */
export const clockTime = (at: string | Date): string => new Date(at).toLocaleTimeString(undefined, { hour12: false });
