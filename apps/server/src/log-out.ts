import { pino } from 'pino';
import { z } from 'zod';

const Line = z.looseObject({
  level: z.number(),
  time: z.number(),
  msg: z.string().default(''),
  part: z.string().optional(),
  err: z.looseObject({ message: z.string().default(''), stack: z.string().optional() }).optional(),
});
const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const ERROR = 50;
const LEFT_OUT = ['level', 'time', 'pid', 'hostname', 'msg', 'part', 'err'];

/** A line of the log for people: time, level, part and message, then what belongs to it. What comes from outside keeps to its line. */
export function asText(json: string): string {
  const { level, time, msg, part, err, ...rest } = Line.parse(JSON.parse(json));
  const at = new Date(time).toISOString().slice(11, 23);
  const more = Object.entries(rest)
    .filter(([name]) => !LEFT_OUT.includes(name))
    .map(
      ([name, value]) =>
        ` ${name}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  const why = err === undefined ? '' : `: ${oneLine(err.message)}`;
  // Of an error that a person must act on, where it came from.
  const stack =
    level >= ERROR && err?.stack
      ? err.stack
          .split('\n')
          .slice(1)
          .map((line) => `\n    ${oneLine(line.trim())}`)
      : [];
  return `${at} ${(LEVELS[level] ?? String(level)).padEnd(5)} ${part ? `${part}: ` : ''}${oneLine(msg)}${why}${more.join('')}${stack.join('')}\n`;
}

const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');

/** Where pino writes, for people on a terminal. */
export const textOn = (out: { write(text: string): unknown }) => ({
  write: (json: string) => void out.write(asText(json)),
});

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
