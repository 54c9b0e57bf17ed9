import { contract, metaOf } from '@hangar/contract';
import { ERRORS } from '@hangar/contract/errors';
import { COMMANDS, OPERATIONS } from '@hangar/contract/operations';
import { commandWords } from '@hangar/contract/shell-words';
import { run } from '@stricli/core';
import { expect, it } from 'vitest';
import type { Cli } from './cli.ts';
import { buildProgram } from './command-tree.ts';
import { isGroup, ROOT, walk } from './routes.ts';
import { readSettings } from './settings.ts';

type Values = Readonly<Record<string, string | number | boolean | object>>;
const VALUES: Values = {
  ...{
    id: 'j_7k2m9p4x',
    state: 'running',
    role: 'admin',
    stream: 'stderr',
    timeoutSeconds: 300,
    'resources.memoryBytes': 2 ** 30,
  },
  ...{
    'resources.cpus': 2,
    tail: 5,
    limit: 5,
    kind: 'ssh-key',
    link: '/jobs',
    since: '5m',
    'repo.url': 'https://a/b',
    mine: false,
  },
};

/** By the first word of a command: what its noun calls by the same name and means otherwise, ids and states before all. */
const VALUES_OF: Readonly<Record<string, Values>> = {
  activity: { status: 'failed' },
  k8s: { status: 'failing', sort: 'cpu' },
  run: { sandbox: 's_7k2m9p4x' },
  sandbox: {
    ...{ job: 'j_7k2m9p4x', id: 's_7k2m9p4x', sandbox: 's_7k2m9p4x', execution: 'e_7k2m9p4x' },
    'one of command': '-la',
    ...{ idleSeconds: 1800, lifetimeSeconds: 7200, env: { KEY: 'value' } },
  },
};
const valuesOf = (command: string): Values => ({ ...VALUES, ...VALUES_OF[command.split(' ')[0] ?? ''] });

/** A value as the schema of a field wants it. */
function sampleOf(name: string, schema: Readonly<Record<string, unknown>>, values: Values): unknown {
  const {
    enum: options,
    anyOf,
    type,
    items,
  } = schema as {
    enum?: unknown[];
    anyOf?: Record<string, unknown>[];
    type?: string;
    items?: Record<string, unknown>;
  };
  if (options !== undefined) return options[0];
  if (anyOf !== undefined)
    return sampleOf(name, anyOf.find((one) => one.type === 'array' || one.type === 'boolean') ?? {}, values);
  if (type === 'array') return [sampleOf(`one of ${name}`, items ?? {}, values)];
  if (values[name] !== undefined) return values[name];
  if (type === 'boolean') return true;
  return type === 'integer' ? 1 : 'x';
}

/** How the real tree of commands takes these words: the name of the command, or what is wrong with them. */
async function taken(words: readonly string[], calls?: unknown[][]): Promise<string> {
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
  const loader = async () => async () => void say(path.join(' '));
  const command = calls === undefined ? { ...loaded.command, loader } : loaded.command;
  const app = buildProgram(
    { path, loaded: { ...loaded, command }, failed: say },
    { exceptionWhileParsingArguments: say, noCommandRegisteredForInput: ({ input }) => say(`no ${input}`) },
  );
  const silent = { write: () => undefined };
  const cli: Partial<Cli> = {
    process: { stdout: silent, stderr: silent },
    terminal: new Proxy({} as Cli['terminal'], { get: () => () => ({ done: () => undefined }) }),
    settings: readSettings({ KEY: 'value' }, '/'),
    stdin: { isTTY: true } as Cli['stdin'],
    signal: new AbortController().signal,
    beforeExit: () => () => undefined,
    api: async () => ({ client: asked(calls ?? []) }) as never,
  };
  await run(app, [...path, ...rest], cli as Cli);
  return answer;
}

/** Remembers what it is called with, and answers nothing. */
const asked = (calls: unknown[][], path: readonly string[] = []): unknown =>
  new Proxy(() => undefined, {
    get: (_, name) => (name === 'then' ? undefined : asked(calls, [...path, String(name)])),
    apply: async (_, _this, [input]) => {
      calls.push([path.join('.'), input]);
      throw new Error('That is enough.');
    },
  });

const pathsIn = (text: string) => [...text.matchAll(/\{([\w.]+)(?:=\w+)?\}/g)].map(([, path = '']) => path);
/** `a.b` as it is written: in the `b` of `a`. */
const nested = (entries: readonly (readonly [string, unknown])[]): Record<string, unknown> => {
  const all: Record<string, unknown> = {};
  for (const [path, value] of entries) {
    const [first = '', second] = path.split('.');
    all[first] = second === undefined ? value : { ...(all[first] as object), [second]: value };
  }
  return all;
};

it.each(Object.entries(COMMANDS))(
  '%s is the command %s, with all it may have and with none',
  async (_route, template) => {
    const [named = ''] = template.split(/ (?:--|[[{])/);
    const flags = [...template.matchAll(/\[--(\w+)\]/g)].map(([, flag = '']) => flag);
    const must = pathsIn(template.replace(/\[[^\]]+\]/g, ''));
    for (const some of [pathsIn(template), must])
      for (const extra of [{}, Object.fromEntries(flags.map((flag) => [flag, true]))]) {
        const values = some.map((path) => [path, valuesOf(template)[path] ?? 'x'] as const);
        const words = commandWords(template, { ...nested(values), ...extra });
        expect(await taken(words)).toMatch(new RegExp(`^${named}( list| show)?$`));
        expect(words.join(' ')).not.toMatch(/[{}[\]]/);
        expect(words).toEqual(expect.arrayContaining(Object.keys(extra).map((flag) => `--${flag}`)));
      }
  },
);

interface Schema {
  toJSONSchema(o: { io: 'input'; unrepresentable: 'any' }): unknown;
  safeParse(value: unknown): { success: boolean };
}

/** These read a file or standard input first. */
const READ_MORE: readonly string[] = ['jobs.create', 'credentials.create'];
const declared = Object.entries(contract).flatMap(([group, operations]) =>
  Object.entries(operations).flatMap((operation) => {
    const { command } = metaOf(operation[1]);
    return typeof command === 'string' ? [{ name: `${group}.${operation[0]}`, command, operation: operation[1] }] : [];
  }),
);
const propertiesOf = (operation: (typeof declared)[number]['operation'], path: string) => {
  const fields = (schema: unknown) =>
    (schema as { properties?: Record<string, Record<string, unknown>> } | undefined)?.properties;
  const schema: Schema | undefined = operation['~orpc'].inputSchema;
  const [first = '', second] = path.split('.');
  const field = fields(schema?.toJSONSchema({ io: 'input', unrepresentable: 'any' }))?.[first];
  if (second === undefined) return field;
  const either = (field as { anyOf?: unknown[] } | undefined)?.anyOf ?? [field];
  return either.map((one) => fields(one)?.[second]).find((found) => found !== undefined);
};

it('all that a command of an operation takes is a field of it', () => {
  for (const { name, command, operation } of declared)
    for (const path of pathsIn(command)) expect(propertiesOf(operation, path), `${name}: ${path}`).toBeDefined();
});

it.each(declared.filter(({ name }) => !READ_MORE.includes(name)))(
  '$name is asked with what its command was made from',
  async ({ name, command, operation }) => {
    const entries = pathsIn(command).map(
      (path) => [path, sampleOf(path, propertiesOf(operation, path) ?? {}, valuesOf(command))] as const,
    );
    const input = nested(entries);
    const schema: Schema | undefined = operation['~orpc'].inputSchema;
    expect(schema?.safeParse(input)).toMatchObject({ success: true });
    for (const given of [input, ...('disabled' in input ? [{ ...input, disabled: false }] : [])]) {
      const calls: unknown[][] = [];
      const said = await taken(commandWords(command, given), calls);
      // Two that make one page are asked at once.
      expect(calls, said).toContainEqual([name, expect.objectContaining(given)]);
    }
  },
);

it('a value that begins with a dash is no option', async () => {
  const calls: unknown[][] = [];
  await taken(commandWords(COMMANDS[OPERATIONS.system.search], { q: '--json' }), calls);
  const command = ['ls', '-la', '--', '--json'];
  await taken(commandWords(COMMANDS[OPERATIONS.sandboxes.execute], { sandbox: 's_7k2m9p4x', command }), calls);
  await taken(
    commandWords(COMMANDS[OPERATIONS.kubernetes.pod], { namespace: 'pod', name: '-n', context: '-c' }),
    calls,
  );
  await taken(commandWords(COMMANDS[OPERATIONS.jobs.list], { search: '--all', agent: '-x', mine: true }), calls);
  await taken(
    commandWords(COMMANDS[OPERATIONS.activity.start], { operation: '-v', steps: ['-a', 'b'], link: '/x' }),
    calls,
  );
  expect(calls).toEqual([
    ['system.search', expect.objectContaining({ q: '--json' })],
    ['sandboxes.execute', expect.objectContaining({ sandbox: 's_7k2m9p4x', command })],
    ['kubernetes.pod', { namespace: 'pod', name: '-n', context: '-c' }],
    ['jobs.list', expect.objectContaining({ search: '--all', agent: '-x', mine: true })],
    ['activity.start', { operation: '-v', steps: ['-a', 'b'], link: '/x' }],
  ]);
});

it('a line for a shell is given as one', () => {
  const words = commandWords(COMMANDS[OPERATIONS.sandboxes.execute], { sandbox: 's_1', command: { shell: 'a | b' } });
  expect(words).toEqual(['sandbox', 'exec', 's_1', '--shell', 'a | b']);
});

it('of variables only the names are typed', () => {
  const words = commandWords(COMMANDS[OPERATIONS.jobs.create], {
    ...{ spec: '# T', repo: { url: 'https://a/b', ref: '-r' }, env: { KEY: 's3cret', B: 'x' } },
    ...{ timeoutSeconds: 90, resources: { cpus: 2 } },
  });
  expect(words.slice(2).join(' ')).toBe(
    '--spec spec.md --repo https://a/b --ref=-r --timeout 90 --cpus 2 --env KEY --env B',
  );
});

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
