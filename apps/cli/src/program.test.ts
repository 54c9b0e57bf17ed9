import { contract, HangarError, VERSION } from '@hangar/contract';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { helpOfCommand, helpOfGroup } from './help.ts';
import { type Group, isGroup, ROOT } from './routes.ts';
import { serverUrl } from './settings.ts';
import { FakeServer } from './testing/fake-server.ts';
import { Desk } from './testing/hangar.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const plain = (text: string) => text;
const look = { columns: 80, color: { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, blue: plain } };

async function* commands(group: Group, path: readonly string[] = []): AsyncGenerator<[string[], string]> {
  yield [[...path], helpOfGroup(path, group, look)];
  for (const [name, node] of Object.entries(group.routes))
    if (isGroup(node)) yield* commands(node, [...path, name]);
    else yield [[...path, name], helpOfCommand([...path, name], await node.load(), look)];
}

describe('help', () => {
  it('shows every command, begins with examples, fits 80 columns', async () => {
    const pages: string[] = [];
    for await (const [path, page] of commands(ROOT)) {
      pages.push(`===== hangar ${path.join(' ')}\n${page}`);
      const tooWide = page.split('\n').filter((line) => [...line].length > 80 && !line.startsWith('  $ '));
      expect(tooWide, path.join(' ')).toEqual([]);
    }
    await expect(pages.join('\n')).toMatchFileSnapshot('./help.snapshot.txt');
  });

  it('has examples whose words are commands and whose options exist', async () => {
    const walkTo = (group: Group, words: string[]): string[] => {
      const [word = '', ...rest] = words;
      const node = group.routes[word];
      if (node === undefined) return words;
      return isGroup(node) ? walkTo(node, rest) : [];
    };
    const check = async (group: Group): Promise<void> => {
      for (const node of Object.values(group.routes)) {
        if (isGroup(node)) {
          await check(node);
          continue;
        }
        const { examples } = await node.load();
        expect(examples.length).toBeGreaterThanOrEqual(2);
        for (const [line] of examples) {
          const left = walkTo(ROOT, line.split(' '));
          expect(left.length === 0 || line.split(' ').length > left.length, line).toBe(true);
        }
      }
    };
    await check(ROOT);
  });
});

describe('the program', () => {
  const server = new FakeServer();
  let desk: Desk;
  beforeAll(async () => {
    await server.start();
    desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
  });
  afterAll(async () => {
    await server.stop();
    desk.dispose();
  });

  it('prints its version, the same as the contract', async () => {
    for (const word of ['--version', '-V', 'version'])
      expect(await desk.run([word])).toEqual({ code: 0, stdout: `hangar ${VERSION}\n`, stderr: '' });
  });

  it('asks no server for help, version and words', async () => {
    const before = server.requests.length;
    for (const args of [
      ['--help'],
      ['help'],
      ['help', 'run'],
      ['cloud', '--help'],
      ['logs', '-h'],
      ['help', 'exit-codes'],
      ['__complete', '--', 'cl'],
    ])
      expect((await desk.run(args)).code, args.join(' ')).toBe(0);
    expect(server.requests.length).toBe(before);
  });

  it.each([
    [['staus'], 'hangar status'],
    [['cloud', 'logn'], 'hangar cloud login'],
    [['run', '--clod'], '--cloud'],
    [['jobs', '--state', 'runing'], 'running'],
  ])('suggests the right word for %j', async (args, right) => {
    const ended = await desk.run([...args, '--json']);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout).error.code).toBe('usage');
    expect(ended.stderr).toContain(right);
  });

  it('prints errors as JSON on stdout and for people on stderr', async () => {
    const ended = await desk.run(['status', 'j_notthere', '--json']);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout)).toEqual({
      error: {
        code: 'job_not_found',
        kind: 'not_found',
        message: 'There is no such job.',
        wayOut: 'See: hangar jobs',
        exitCode: 2,
      },
    });
    expect(ended.stderr).toBe('Error: There is no such job. [job_not_found]\nWhat to do: See: hangar jobs\n');
  });

  it('says which server cannot be reached, and ends with 4', async () => {
    const ended = await desk.run(['jobs', '--server', 'http://127.0.0.1:1']);
    expect(ended.code).toBe(4);
    expect(ended.stderr).toContain('The server at http://127.0.0.1:1 cannot be reached.');
  });

  it('says what next on stderr only, and not with --quiet or --json', async () => {
    server.addJob();
    const ended = await desk.run(['jobs']);
    expect(ended.stdout).not.toContain('Next:');
    expect(ended.stderr).toMatch(/^Next: hangar status j_[0-9a-f]+\n$/);
    expect((await desk.run(['jobs', '--quiet'])).stderr).toBe('');
    expect((await desk.run(['jobs', '--json'])).stderr).toBe('');
  });

  it('has the same way for JSON in every command that lists', async () => {
    for (const args of [
      ['jobs'],
      ['profiles'],
      ['profiles', 'show', 'local'],
      ['agents'],
      ['activity'],
      ['sandbox', 'list'],
      ['keys'],
      ['people'],
      ['invites'],
      ['plans'],
      ['search', 'x'],
      ['cloud', 'credentials'],
      ['help', 'agents'],
      ['help', 'exit-codes'],
      ['help', 'environment'],
    ]) {
      const ended = await desk.run([...args, '--json']);
      expect(ended.code, args.join(' ')).toBe(0);
      expect(() => JSON.parse(ended.stdout), args.join(' ')).not.toThrow();
      expect((await desk.run(args)).code, args.join(' ')).toBe(0);
    }
  });

  it('ends with 4 when a profile does not work', async () => {
    const ended = await desk.run(['profiles', 'test', 'local']);
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain('✗ Reach it: nobody there');
  });

  it('checks what options say before it asks the server', async () => {
    const ended = await desk.run(['profiles', 'create', 'x', '--driver', 'nonsense', '--json']);
    expect(JSON.parse(ended.stdout).error.code).toBe('driver_unknown');
    expect((await desk.run(['run', '--cloud', '--timeout', 'soon'])).stderr).toContain('is not a time like 90s');
    expect((await desk.run(['logs', 'j_notthere', '--tail', '-1'])).code).toBe(2);
  });

  it('ends quietly when the reader goes away', async () => {
    const id = server.addJob();
    server.addLines(
      id,
      Array.from({ length: 20_000 }, (_, n) => `line ${n}`),
    );
    server.finish(id, null);
    const logs = desk.start(['logs', id]);
    logs.child.stdout?.once('data', () => logs.child.stdout?.destroy());
    expect(await logs.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('completes commands, options, values and live ids', async () => {
    const id = server.addJob();
    const words = async (...typed: string[]) =>
      (await desk.run(['__complete', '--', ...typed])).stdout
        .split('\n')
        .map((line) => line.split('\t')[0])
        .filter(Boolean);
    expect(await words('')).toContain('run');
    expect(await words('st')).toEqual(['status']);
    expect(await words('cloud', 'credentials', '')).toEqual(['add', 'list', 'remove']);
    expect(await words('logs', '--fo')).toEqual(['--follow']);
    expect(await words('jobs', '--state', 'ca')).toEqual(['cancelled']);
    expect(await words('pull', 'j_')).toContain(id);
    expect(await words('run', '--on', 'lo')).toEqual(['local']);
    const sandbox = server.sandboxes.add();
    for (const verb of ['exec', 'close', 'show']) expect(await words('sandbox', verb, 's_'), verb).toEqual([sandbox]);
    expect(await words('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('writes completion scripts the shells accept', async () => {
    const { execFileSync } = await import('node:child_process');
    const script = (await desk.run(['completion', 'bash'])).stdout;
    execFileSync('bash', ['-n'], { input: script });
    const asked = `${script}\nhangar() { printf 'status\\tx\\n'; }\nCOMP_WORDS=(hangar st); COMP_CWORD=1; _hangar; printf '%s' "\${COMPREPLY[*]}"`;
    expect(execFileSync('bash', ['-c', asked], { encoding: 'utf8' })).toBe('status');
    for (const shell of ['zsh', 'fish']) expect((await desk.run(['completion', shell])).stdout).toContain('__complete');
  });
});

describe('addresses of servers', () => {
  it.each([
    ['localhost:7070', 'http://localhost:7070'],
    ['https://Hangar.Example.org/', 'https://hangar.example.org'],
    ['https://example.org/hangar/', 'https://example.org/hangar'],
  ])('%s is %s', (text, url) => expect(serverUrl(text)).toBe(url));

  it('refuses anything else', () => {
    for (const text of ['', 'ftp://x', 'http://']) expect(() => serverUrl(text)).toThrow(HangarError);
  });
});

it('offers every operation that is meant for more than a browser', () => {
  // An operation added to the contract has to appear here, and so in somebody's mind.
  const operations = Object.entries(contract).flatMap(([noun, group]) =>
    Object.keys(group).map((name) => `${noun}.${name}`),
  );
  const browserOnly = [
    'access.signIn',
    'access.signInByLink',
    'access.signOut',
    'access.lookAtInvite',
    'access.acceptInvite',
    'access.updateMe',
    'access.setPassword',
    'access.signOutEverywhere',
    'access.createApiKey',
    'access.listDevices',
    'access.removeDevice',
    'access.lookAtDevice',
    'access.decideDevice',
  ];
  expect(operations.filter((name) => !browserOnly.includes(name)).sort()).toMatchInlineSnapshot(`
    [
      "access.createInvite",
      "access.createSignInLink",
      "access.listApiKeys",
      "access.listInvites",
      "access.listPeople",
      "access.listPlans",
      "access.me",
      "access.putPlan",
      "access.removeApiKey",
      "access.removeInvite",
      "access.updatePerson",
      "activity.get",
      "activity.list",
      "activity.publish",
      "activity.start",
      "credentials.create",
      "credentials.list",
      "credentials.remove",
      "drivers.create",
      "drivers.get",
      "drivers.list",
      "drivers.makeDefault",
      "drivers.remove",
      "drivers.update",
      "files.list",
      "files.makeFolder",
      "files.move",
      "files.remove",
      "files.stat",
      "jobs.agents",
      "jobs.artifacts",
      "jobs.cancel",
      "jobs.create",
      "jobs.get",
      "jobs.list",
      "jobs.retry",
      "kubernetes.health",
      "kubernetes.nodes",
      "kubernetes.pod",
      "kubernetes.pods",
      "machines.platform",
      "profiles.create",
      "profiles.drivers",
      "profiles.get",
      "profiles.list",
      "profiles.makeDefault",
      "profiles.remove",
      "profiles.test",
      "profiles.update",
      "sandboxes.cancel",
      "sandboxes.close",
      "sandboxes.diff",
      "sandboxes.execute",
      "sandboxes.execution",
      "sandboxes.executions",
      "sandboxes.get",
      "sandboxes.list",
      "sandboxes.open",
      "sandboxes.pause",
      "sandboxes.resume",
      "system.info",
      "system.search",
    ]
  `);
});
