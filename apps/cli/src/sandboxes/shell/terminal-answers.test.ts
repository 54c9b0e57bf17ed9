import { expect, it } from 'vitest';
import { isAnswer } from './terminal-answers.ts';

it.each([
  ['where the cursor is', '\x1b[24;80R'],
  ['what it is', '\x1b[?62;4;22c'],
  ['its version', '\x1b[>41;354;0c'],
  ['a mode', '\x1b[?2026;2$y'],
  ['a colour', '\x1b]11;rgb:1e1e/1e1e/1e1e\x07'],
  ['a colour, ended by ST', '\x1b]10;rgb:ff/ff/ff\x1b\\'],
  ['a setting', '\x1bP1$r0m\x1b\\'],
  ['focus', '\x1b[I'],
  ['a mouse', '\x1b[<0;3;4M'],
  ['several at once', '\x1b[?62;c\x1b[I\x1b[5;7R'],
])('%s is said by the terminal', (_what, typed) => {
  expect(isAnswer(Buffer.from(typed))).toBe(true);
});

it.each(['', 'a', '\r', '\x03', '\x1b', '\x1b[A', '\x1bOP', '\x1b[200~text\x1b[201~', '~.', '\x1b[5;7Rx'])(
  '%j is typed',
  (typed) => {
    expect(isAnswer(Buffer.from(typed))).toBe(false);
  },
);
