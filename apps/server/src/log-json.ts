import { pino } from 'pino';

/** More than this is not kept for a disk or a reader that takes nothing; what comes then is left out. */
const MOST_WAITING = 8 * 1024 * 1024;

/** Where pino writes, for programs. What cannot be written is lost, and writing goes on when it can. */
export function jsonOn(fd: number): ReturnType<typeof pino.destination> {
  const out = pino.destination({ fd, sync: false, maxLength: MOST_WAITING });
  out.on('error', () => {
    // At the end of the process it would try for ever, and the process never end.
    out.flushSync = () => undefined;
  });
  return out;
}
