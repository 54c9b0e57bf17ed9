import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentOutput } from '@hangar/contract';
import { afterAll, describe, expect, test } from 'vitest';
import { Masker } from '../../mask/mask.ts';
import { tempFolders } from '../../testing/fixtures.ts';
import { AgentEvents } from './agent-events.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

const RECORDED = join(import.meta.dirname, 'recorded');
const recorded = (name: string) => readFileSync(join(RECORDED, `${name}.jsonl`));

/** Runs bytes through it, in chunks of a size. */
async function read(
  output: AgentOutput,
  bytes: Buffer,
  o: { chunk?: number; secrets?: readonly string[]; maxBytes?: number } = {},
) {
  const masker = new Masker();
  for (const secret of o.secrets ?? []) masker.add(secret);
  const file = join(temp.make(), 'events');
  const events = new AgentEvents({ output, tree: '/job/tree', masker, file, maxBytes: o.maxBytes ?? 2 ** 30 });
  const lines: string[] = [];
  const size = o.chunk ?? 64 * 1024;
  for (let at = 0; at < bytes.length; at += size) lines.push(...(await events.push(bytes.subarray(at, at + size))));
  lines.push(...(await events.end()));
  return { events, lines, kept: existsSync(file) ? readFileSync(file, 'utf8') : '' };
}
const line = (event: unknown) => Buffer.from(`${JSON.stringify(event)}\n`);

const TOKENS = { inputTokens: 4600, cachedInputTokens: 1200, outputTokens: 80 };

describe('what the real agents printed', () => {
  test('Claude Code', async () => {
    const { lines, events, kept } = await read('claude', recorded('claude'));
    expect(lines).toEqual([
      'Claude Code 2.1.330, model claude-opus-5-5',
      'I will write the file.',
      '▸ Write hello.txt',
      'Now a command.',
      '▸ Bash: echo made by a command > made.txt; echo visible',
      'One that fails.',
      '▸ Bash: echo no such thing >&2; exit 3',
      '  ✗ Exit code 3',
      '    no such thing',
      'All done.',
      'Two files.',
      'Used 4,600 tokens in (1,200 cached), 80 out, $0.0154, 4 turns, 821 ms',
    ]);
    expect(events.usage).toEqual({ ...TOKENS, costUsd: 0.01544, model: 'claude-opus-5-5', turns: 4 });
    expect(events.refused).toBe(false);
    expect(kept).toBe(recorded('claude').toString());
  });

  test('Codex', async () => {
    const { lines, events } = await read('codex', recorded('codex'));
    expect(lines).toEqual([
      'I will write the file.',
      '▸ Add hello.txt',
      'Now a command.',
      '▸ Shell: echo made by a command > made.txt; echo visible',
      'One that fails.',
      '▸ Shell: echo no such thing >&2; exit 3',
      '  ✗ exit code 3',
      '    no such thing',
      'All done.',
      'Two files.',
      'Used 4,600 tokens in (1,200 cached), 80 out',
    ]);
    expect(events.usage).toEqual({ ...TOKENS, costUsd: null, model: null, turns: null });
  });

  test('OpenCode', async () => {
    const { lines, events } = await read('opencode', recorded('opencode'));
    expect(lines).toEqual([
      'I will write the file.',
      '▸ write hello.txt',
      'Now a command.',
      '▸ bash: echo made by a command > made.txt; echo visible',
      'One that fails.',
      '▸ bash: echo no such thing >&2; exit 3',
      '  ✗ exit code 3',
      '    no such thing',
      'All done.',
      'Two files.',
      'Used 4,600 tokens in (1,200 cached), 80 out, $0.0118, 4 turns, 1.4 s',
    ]);
    expect(events.usage).toMatchObject({ ...TOKENS, model: null, turns: 4 });
    expect(events.usage?.costUsd).toBeCloseTo(0.01176, 8);
  });

  test('Gemini CLI', async () => {
    const { lines, events } = await read('gemini', recorded('gemini'));
    expect(lines).toEqual([
      'Gemini CLI, model auto',
      'I will write the file.',
      '▸ write_file hello.txt',
      'Now a command.',
      '▸ run_shell_command: echo made by a command > made.txt; echo visible',
      'One that fails.',
      '▸ run_shell_command: echo no such thing >&2; exit 3',
      'All done.',
      'Two files.',
      'Used 5,600 tokens in (1,500 cached), 100 out, 451 ms',
    ]);
    expect(events.usage).toEqual({
      ...{ inputTokens: 5600, cachedInputTokens: 1500, outputTokens: 100, costUsd: null, turns: null },
      model: 'gemini-3.8-flash',
    });
  });

  test.for(['claude', 'codex', 'opencode', 'gemini'] as const)('%s: a refused key is told', async (agent) => {
    const { lines, events } = await read(agent, recorded(`${agent}-refused`));
    expect(events.refused).toBe(true);
    expect(lines.join('\n')).toMatch(/401|authentication/);
    expect(lines.join('\n')).not.toContain('{"type"');
  });

  test.for(readdirSync(RECORDED))('%s: the same in whatever chunks it comes', async (file) => {
    const name = file.replace('.jsonl', '');
    const output = name.replace('-refused', '') as AgentOutput;
    const whole = await read(output, recorded(name));
    const pieces = await read(output, recorded(name), { chunk: 7 });
    expect(pieces.lines).toEqual(whole.lines);
    expect(pieces.kept).toBe(whole.kept);
    expect(pieces.kept).toBe(recorded(name).toString());
  });
});

describe('nothing is lost', () => {
  test.for([
    ['plain text', 'just words'],
    ['broken JSON', '{"type":"assistant","message":'],
    ['an event nobody knows', '{"type":"from_the_future","text":"hi"}'],
    ['JSON that is no event', '[1,2,3]'],
    ['an event without a type', '{"a":1}'],
    ['nesting without end', '{"a":'.repeat(200_000)],
    ['deep but closed', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ] as const)('%s goes to the log as it is', async ([, text]) => {
    for (const output of ['claude', 'codex', 'opencode', 'gemini'] as const) {
      const { lines, kept } = await read(output, Buffer.from(`${text}\n`));
      expect(lines.join('')).toBe(text);
      expect(kept).toBe(`${text}\n`);
    }
  });

  test('the last line without a line end', async () => {
    const { lines, kept } = await read('codex', Buffer.from('{"type":"turn.started"}\nCrashed: no'));
    expect(lines).toEqual(['Crashed: no']);
    expect(kept).toBe('{"type":"turn.started"}\nCrashed: no\n');
  });

  test('a line too long for an event, in pieces; the next event is read again', async () => {
    const long = 'x'.repeat(9 * 1024 * 1024);
    const bytes = Buffer.concat([Buffer.from(`${long}\n`), line({ type: 'error', message: 'no more' })]);
    const { lines, kept } = await read('codex', bytes);
    expect(lines.pop()).toBe('  ✗ no more');
    expect(lines.join('')).toBe(long);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024);
    expect(kept.split('\n').map(({ length }) => length)).toEqual([long.length, 36, 0]);
  });

  test('bytes that are no UTF-8, control characters, a lone surrogate', async () => {
    const { lines } = await read('claude', Buffer.from([0xff, 0x00, 0x41, 0x0a]));
    expect(lines).toEqual(['\ufffdA']);
    const text = await read('codex', line({ type: 'error', message: '\ud800 \u001b[2J\u0000 end' }));
    expect(text.lines).toEqual(['  ✗ \ufffd \u001b[2J end']);
  });

  test('events whose fields are of any kind', async () => {
    const odd = [null, 7, true, 'text', [], {}, [null, [[]]], { a: null }, -1, 1e308];
    const types = {
      claude: ['system', 'assistant', 'user', 'result'],
      codex: ['item.started', 'item.completed', 'turn.completed', 'turn.failed', 'error'],
      opencode: ['text', 'tool_use', 'step_finish', 'error', 'reasoning'],
      gemini: ['init', 'message', 'tool_use', 'tool_result', 'result', 'error'],
    } as const;
    const fields = ['message', 'item', 'part', 'error', 'usage', 'stats', 'content', 'parameters', 'num_turns'];
    for (const output of ['claude', 'codex', 'opencode', 'gemini'] as const)
      for (const type of types[output])
        for (const value of odd) {
          const event = { type, subtype: 'init', ...Object.fromEntries(fields.map((name) => [name, value])) };
          const { kept } = await read(output, line(event));
          expect(kept).toBe(line(event).toString());
        }
  });

  test('usage that cannot be is not taken', async () => {
    const event = {
      type: 'turn.completed',
      usage: { input_tokens: 1e300, output_tokens: -5, cached_input_tokens: 'x' },
    };
    expect((await read('codex', line(event))).events.usage).toMatchObject({ outputTokens: 0, cachedInputTokens: 0 });
  });
});

test('a secret that is a word of the format does not hide what kind of event it is', async () => {
  const error = line({ type: 'error', message: 'an error came' });
  const { lines, kept } = await read('codex', error, { secrets: ['error'] });
  expect(lines).toEqual(['  ✗ an *** came']);
  expect(kept).not.toContain('error');
  const said = { type: 'result', subtype: 'error_during_execution', is_error: true, usage: {} };
  const why = await read('claude', line(said), { secrets: ['error', 'result'] });
  expect(why.lines[0]).toBe('  ✗ ***_during_execution');
});

describe('secrets', () => {
  const SECRET = 'sk-verysecretvalue';

  test('masked in steps and in what is kept, also where a step is cut', async () => {
    const command = `${'x'.repeat(195)}${SECRET} tail`;
    const item = { type: 'command_execution', command, status: 'in_progress' };
    const { lines, kept } = await read('codex', line({ type: 'item.started', item }), { secrets: [SECRET] });
    expect(lines.join('')).not.toContain('sk-v');
    expect(kept).not.toContain('sk-v');
    expect(lines[0]).toContain('***');
    const known = await read('codex', line({ type: 'unknown', [SECRET]: SECRET }), { secrets: [SECRET] });
    expect(known.lines.join('') + known.kept).not.toContain('secret');
  });

  test('masked in a line too long for an event, across the place where it is cut', async () => {
    const bytes = Buffer.from(`${'x'.repeat(4 * 1024 * 1024 - 5)}${SECRET}${'y'.repeat(70_000)}\n`);
    for (const chunk of [64 * 1024, 4 * 1024 * 1024]) {
      const { lines, kept } = await read('claude', bytes, { secrets: [SECRET], chunk });
      expect(lines.join('')).toContain('***');
      expect(lines.join('') + kept).not.toContain('verysecret');
    }
  });
});

test('what is kept stays within its limit, in whole writes', async () => {
  const { events, kept } = await read('codex', Buffer.from('{"type":"turn.started"}\n'.repeat(100)), {
    maxBytes: 1000,
    chunk: 240,
  });
  expect(events.kept).toEqual({ bytes: 960, cut: true });
  expect(kept.length).toBe(960);
});
