import type { LogLine } from '@hangar/contract';
import { describe, expect, it } from 'vitest';
import { evidenceOf } from './job-evidence.ts';

/** `! ` is standard error, `» ` Hangar itself, the rest standard output. */
const log = (...lines: string[]): LogLine[] =>
  lines.map((line, at) => ({
    n: at + 1,
    at: '2026-05-04T14:02:11.000Z',
    stream: line.startsWith('! ') ? 'stderr' : line.startsWith('» ') ? 'system' : 'stdout',
    text: line.replace(/^[!»] /, ''),
  }));

describe('evidenceOf', () => {
  it.each<[what: string, code: string, lines: string[], shown: string | null]>([
    [
      'an exit code: the complaint, not what only points to it',
      'agent_failed',
      [
        '> app@1.0.0 build',
        '! src/main.ts(3,9): error TS2304: Cannot find name "serach".',
        '! npm error Lifecycle script `build` failed with error:',
        '! npm error code ELIFECYCLE',
        '! npm error A complete log of this run can be found in: /home/x/.npm/_logs/1.log',
      ],
      'src/main.ts(3,9): error TS2304: Cannot find name "serach".',
    ],
    [
      'a trace of Python: its last line',
      'agent_failed',
      [
        '! Traceback (most recent call last):',
        '!   File "fix.py", line 3, in <module>',
        "! ModuleNotFoundError: No module named 'requests'",
      ],
      "ModuleNotFoundError: No module named 'requests'",
    ],
    [
      'a trace of Node: the error above its frames',
      'agent_failed',
      [
        '! TypeError: text.trimm is not a function',
        '!     at search (file:///w/error.js:3:9)',
        '! ',
        '! Node.js v24.1.0',
      ],
      'TypeError: text.trimm is not a function',
    ],
    [
      'make',
      'agent_failed',
      ['! main.c:4: undefined reference to `foo`', '! make: *** [all] Error 1'],
      'main.c:4: undefined reference to `foo`',
    ],
    [
      'a complaint on standard output',
      'agent_failed',
      ['FAILED tests/test_a.py::test_b - assert 1 == 2', '1 passed in 0.2s'],
      'FAILED tests/test_a.py::test_b - assert 1 == 2',
    ],
    [
      'a count of no errors is none',
      'agent_failed',
      ['! panic: index out of range', 'lint: 0 errors'],
      'panic: index out of range',
    ],
    ['no complaint: the last of standard error', 'agent_failed', ['! hm', 'bye'], 'hm'],
    ['nothing but output', 'agent_failed', ['one', 'two', ''], 'two'],
    ['nothing at all', 'agent_failed', ['» Cloned', ''], null],
    [
      'a key that is refused: that, not what came of it',
      'agent_failed',
      [
        'API Error: 401 {"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
        '! Error: the run was aborted',
      ],
      'API Error: 401 {"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
    ],
    [
      'out of memory, by Node',
      'out_of_memory',
      [
        '! FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
        '! Aborted (core dumped)',
      ],
      'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    ],
    ['out of memory, by Python', 'out_of_memory', ['! MemoryError', '! error: it did not work'], 'MemoryError'],
    [
      'out of memory, by the kernel',
      'out_of_memory',
      ['building', '! sh: line 3: 4711 Killed                  node build.js', '! npm error'],
      'sh: line 3: 4711 Killed                  node build.js',
    ],
    ['a signal', 'agent_failed', ['step 3', '! Segmentation fault (core dumped)'], 'Segmentation fault (core dumped)'],
    [
      'a timeout: the last word, not an old complaint',
      'job_timeout',
      ['! error: retrying', 'part 4 of 9', '» The time is up'],
      'part 4 of 9',
    ],
    ['a lost worker: its last word', 'worker_lost', ['part 4 of 9', '» No word from the worker'], 'part 4 of 9'],
    [
      'an agent that is not there',
      'agent_missing',
      ['! sh: 1: cluade: not found', '! error: giving up'],
      'sh: 1: cluade: not found',
    ],
    [
      'an agent that is not there, by bash',
      'agent_missing',
      ['! bash: line 1: codex: command not found'],
      'bash: line 1: codex: command not found',
    ],
    [
      'an agent that is no program',
      'agent_missing',
      ['! sh: 1: ./agent.sh: Permission denied'],
      'sh: 1: ./agent.sh: Permission denied',
    ],
    ['an agent that is not there, nothing said', 'agent_missing', ['» Cloned'], null],
    [
      'a credential that was refused, as git says it',
      'repo_auth_failed',
      ['» remote: HTTP Basic: Access denied', "» fatal: Authentication failed for 'https://git.example.org/a/b.git/'"],
      "fatal: Authentication failed for 'https://git.example.org/a/b.git/'",
    ],
    [
      'a host nobody knows',
      'repo_unreachable',
      ["» fatal: unable to access 'https://nowhere/': Could not resolve host: nowhere"],
      "fatal: unable to access 'https://nowhere/': Could not resolve host: nowhere",
    ],
    [
      'a full disk',
      'disk_full',
      ['! cp: error writing big: No space left on device', '! error: it failed'],
      'cp: error writing big: No space left on device',
    ],
    ['no diff', 'worktree_gone', ['! rm: cannot remove /x: busy', 'done'], 'rm: cannot remove /x: busy'],
  ])('%s', (_what, code, lines, shown) => {
    expect(evidenceOf(code, log(...lines))?.text ?? null).toBe(shown);
  });

  it('takes colours, hidden signs and what was drawn over out of a line, and says which one it is', () => {
    const text = '50 %\r\u001b[31merror\u001b[0m: \u202ebad\u0007 \u001b]8;;http://x\u0007link\u001b]8;;\u0007';
    expect(evidenceOf('agent_failed', log('fine', `! ${text}`))).toEqual({ n: 2, text: 'error: bad link' });
  });

  it('ends, and stays short, whatever the lines hold', () => {
    const nasty = [
      'a'.repeat(2_000_000),
      `${' '.repeat(200_000)}x`,
      'npm error '.repeat(100_000),
      `${'E'.repeat(500_000)}!`,
    ];
    const lines = log(...Array.from({ length: 50 }, (_, at) => `! ${nasty[at % nasty.length]}`));
    for (const code of ['agent_failed', 'out_of_memory', 'agent_missing', 'repo_auth_failed']) {
      expect(evidenceOf(code, lines)?.text.length).toBeLessThanOrEqual(1000);
    }
  });
});
