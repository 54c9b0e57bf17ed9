import { pino } from 'pino';
import { expect, test } from 'vitest';
import { textOn } from './log-out.ts';

function said(say: (log: ReturnType<typeof pino>) => void): string {
  let text = '';
  say(pino({ redact: ['*.token'] }, textOn({ write: (more) => (text += more) })));
  return text;
}

test('a line has time, level, part, message and what belongs to it', () => {
  const text = said((log) =>
    log.child({ part: 'jobs' }).warn({ job: 'j_1', why: 'no room', n: 3, a: { token: 'x' } }, 'it waits'),
  );
  expect(text).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}jobs: it waits job=j_1 why="no room" n=3 a=\{"token":"\[Redacted\]"\}\n$/,
  );
});

test('an error says why, and where it came from when a person must act', () => {
  expect(said((log) => log.warn({ err: new Error('gone') }, 'cannot'))).toMatch(/warn {2}cannot: gone\n$/);
  expect(said((log) => log.error({ err: new Error('gone') }, 'cannot'))).toMatch(/error cannot: gone\n {4}at .*\n/);
});

test('what comes from outside cannot make a line of its own', () => {
  const evil = 'a\n12:00:00 info fine\u001b[2J';
  const text = said((log) => log.info({ name: evil, err: new Error(evil) }, evil));
  expect(text.split('\n')).toHaveLength(2);
  expect(text).not.toContain('\u001b');
});
