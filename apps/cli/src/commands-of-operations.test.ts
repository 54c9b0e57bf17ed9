import { ERRORS } from '@hangar/contract/errors';
import { COMMANDS } from '@hangar/contract/operations';
import { commandWords } from '@hangar/contract/shell-words';
import { run } from '@stricli/core';
import { expect, it } from 'vitest';
import type { Cli } from './cli.ts';
import { buildProgram } from './command-tree.ts';
import { isGroup, ROOT, walk } from './routes.ts';

const VALUES: Readonly<Record<string, string>> = {
  ...{ id: 'j_7k2m9p4x', state: 'running', status: 'failed', sort: 'cpu', stream: 'stderr', role: 'admin' },
  ...{ timeout: '5m', memory: '2g', cpus: '2', times: '2', tail: '5', limit: '5', kind: 'https-token' },
};

/** How the real tree of commands takes these words: the name of the command, or what is wrong with them. */
async function taken(words: readonly string[]): Promise<string> {
  const { node: named, path: to, rest } = walk(ROOT, words);
  const path = isGroup(named) && named.fallback !== undefined ? [...to, named.fallback] : to;
  const { node } = walk(ROOT, path);
  if (isGroup(node)) return `There is no command ${words.join(' ')}.`;
  const loaded = await node.load();
  let answer = 'It did not run.';
  const say = (thrown: unknown) => {
    answer = String(thrown);
    return '';
  };
  const command = { ...loaded.command, loader: async () => async () => void say(path.join(' ')) };
  const app = buildProgram(
    { path, loaded: { ...loaded, command }, failed: say },
    { exceptionWhileParsingArguments: say, noCommandRegisteredForInput: ({ input }) => say(`no ${input}`) },
  );
  const silent = { write: () => undefined };
  const cli: Partial<Cli> = { process: { stdout: silent, stderr: silent } };
  await run(app, [...path, ...rest], cli as Cli);
  return answer;
}

it.each(Object.entries(COMMANDS))(
  '%s is the command %s, with all it may have and with none',
  async (_route, template) => {
    const [named = ''] = template.split(/ [-[{]/);
    const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const flags = [...template.matchAll(/\[--(\w+)\]/g)].map(([, flag = '']) => flag);
    const needed = [...template.replace(/\[[^\]]+\]/g, '').matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const valuesOf = (some: readonly string[]) => some.map((name) => [name, VALUES[name] ?? 'x']);
    const all = { ...Object.fromEntries(valuesOf(names)), ...Object.fromEntries(flags.map((flag) => [flag, true])) };
    for (const values of [all, Object.fromEntries(valuesOf(needed))])
      expect(await taken(commandWords(template, values))).toMatch(new RegExp(`^${named}( list)?$`));
    // Each value and flag went somewhere, and nothing is left of how it was written.
    const words = commandWords(template, all);
    expect(words.join(' ')).not.toMatch(/[{}[\]]/);
    expect(words).toEqual(
      expect.arrayContaining([...names.map((name) => VALUES[name] ?? 'x'), ...flags.map((flag) => `--${flag}`)]),
    );
  },
);

it('what is no command is not taken for one', async () => {
  expect(await taken(['status', '--nothing'])).toMatch(/nothing/);
  expect(await taken(['nothing'])).toMatch(/There is no command/);
  expect(await taken(['jobs', '--state', 'nothing'])).toMatch(/nothing/);
});

it('the commands that errors send people to are there', () => {
  const lines = Object.entries(ERRORS).flatMap(([code, { wayOut }]) =>
    [...wayOut.matchAll(/\bhangar ([a-z][\w-]*(?: [a-z][\w-]*)*)/g)].map(([, line = '']) => ({ code, line })),
  );
  expect(lines.length).toBeGreaterThan(20);
  for (const { code, line } of lines) {
    const { path, node } = walk(ROOT, line.split(' '));
    expect(path.length > 0 && (!isGroup(node) || node.fallback !== undefined), `${code}: hangar ${line}`).toBe(true);
  }
});
