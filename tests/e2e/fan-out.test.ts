import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, ServerProcess } from './server-process.ts';

interface Job {
  id: string;
  agent: string;
  state: string;
  group: string | null;
  repo: { commit: string; fromCheckout: boolean };
}
interface Group {
  group: string;
  items: Job[];
}
interface Compared {
  group: string | null;
  items: (Job & { agentSeconds: number | null; note: string | null; diffText?: string | null })[];
  files: { path: string; verdict: string; changes: { id: string; version: string; insertions: number }[] }[];
}

let server: ServerProcess;
let repo: string;
let spec: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'), { 'README.md': '# A repository\n' });
  // Work that is nowhere else: every copy has to get it.
  writeFileSync(join(repo, 'draft.txt'), 'draft\n');
  spec = join(server.dir, 'add-search.md');
  writeFileSync(spec, '# Add search\n\n```sh\ncat draft.txt; echo shared > shared.txt; echo shell > way.txt\n```\n');
});
afterAll(() => server?.remove());

const hangar = (args: readonly string[]) => server.hangar(args, { cwd: repo });
async function json<T>(args: readonly string[]): Promise<{ exitCode: number; answer: T }> {
  const { exitCode, stdout, stderr } = await hangar([...args, '--json']);
  if (stdout === '') throw new Error(`hangar ${args.join(' ')} printed nothing: ${stderr}`);
  return { exitCode: exitCode ?? -1, answer: JSON.parse(stdout) as T };
}
/** The same files in another way, one more of its own. */
const OTHER = 'sh -c "cat draft.txt; echo shared > shared.txt; echo other > way.txt; echo mine > own.txt"';

describe('one spec, several jobs', () => {
  it('sends each agent so many times, the checkout once, waits for all, and sets them side by side', async () => {
    const { exitCode, answer: sent } = await json<Group>([
      ...['run', '--cloud', '--spec', spec, '--agents', 'shell', '--agents', OTHER, '--times', '2', '--wait'],
    ]);
    expect(exitCode).toBe(0);
    expect(sent.group).toMatch(/^add-search-[0-9a-z]{4}$/);
    expect(sent.items.map(({ agent, state, group }) => [agent, state, group])).toEqual(
      ['shell', 'shell', OTHER, OTHER].map((agent) => [agent, 'succeeded', sent.group]),
    );
    expect(new Set(sent.items.map(({ repo }) => repo.commit)).size).toBe(1);
    expect(sent.items.every(({ repo }) => repo.fromCheckout)).toBe(true);

    const { answer: compared } = await json<Compared>(['compare', '--group', sent.group, '--diff']);
    expect(compared.group).toBe(sent.group);
    expect(compared.items.map(({ id }) => id)).toEqual(sent.items.map(({ id }) => id));
    expect(compared.items.every(({ agentSeconds }) => agentSeconds !== null && agentSeconds >= 0)).toBe(true);
    expect(compared.items[2]?.diffText).toContain('+other');
    expect(compared.files.map(({ path, verdict }) => [path, verdict])).toEqual([
      ['own.txt', 'differs'],
      ['shared.txt', 'same'],
      ['way.txt', 'differs'],
    ]);
    expect(compared.files[2]?.changes.map(({ version }) => version)).toEqual(['a', 'a', 'b', 'b']);

    // The newest group of this repository is meant when none is named.
    const shown = await hangar(['compare', '--diff']);
    expect(shown.exitCode).toBe(0);
    expect(shown.stderr).toContain(`${sent.group}, your newest group of repo.`);
    expect(shown.stdout).toMatch(/1 +j_\w+ +shell +✓ succeeded +\S+ m?s +2 +\+2 -0 +0/);
    expect(shown.stdout).toMatch(/own\.txt +\. +\. +\+1 -0 +\+1 -0 +same in 3, 4/);
    expect(shown.stdout).toMatch(/way\.txt +\+1 -0 a +\+1 -0 a +\+1 -0 b +\+1 -0 b +differs/);
    expect(shown.stdout.split('\n')).toEqual(expect.arrayContaining(['+shell', '+other']));
    expect(shown.stderr).toContain(`Next: hangar pull ${sent.items[0]?.id}`);

    const two = await json<Compared>(['compare', sent.items[0]?.id ?? '', sent.items[2]?.id ?? '']);
    expect(two.answer.files.map(({ verdict }) => verdict)).toEqual(['alone', 'same', 'differs']);

    const listed = await json<{ items: Job[] }>(['jobs', '--group', sent.group]);
    expect(listed.answer.items).toHaveLength(4);

    const pulled = await hangar(['pull', sent.items[3]?.id ?? '']);
    expect(pulled.stderr).not.toMatch(/error/i);
    expect(readFileSync(join(repo, 'way.txt'), 'utf8')).toBe('other\n');
    expect((await hangar(['pull', '--undo'])).exitCode).toBe(0);
  }, 120_000);

  it('ends with 5 when one of them does not succeed, and compares what there is', async () => {
    const ended = await hangar([
      ...[
        'run',
        '--cloud',
        '--spec',
        spec,
        '--agents',
        'shell',
        '--agents',
        'sh -c "exit 3"',
        '--group',
        'mixed',
        '--wait',
      ],
    ]);
    expect(ended.exitCode).toBe(5);
    expect(ended.stdout).toMatch(/✗ failed .* 3$/m);
    expect(ended.stderr).toContain('2 of 2 jobs ended: 1 succeeded, 1 did not.');
    const { answer } = await json<Compared>(['compare', '--group', 'mixed']);
    expect(answer.files.map(({ path }) => path)).toEqual(['shared.txt', 'way.txt']);
  }, 60_000);

  it('compares while they run, and adds to a group', async () => {
    const first = await json<Job>([
      ...['run', '--cloud', '--spec', spec, '--agent', 'sh -c "sleep 60"', '--group', 'running'],
    ]);
    expect(first.answer.group).toBe('running');
    await json<Group>(['run', '--cloud', '--spec', spec, '--agents', 'shell', '--group', 'running', '--wait']);
    const compared = await hangar(['compare', '--group', 'running']);
    expect(compared.exitCode).toBe(0);
    expect(compared.stderr).toMatch(/1 {2}j_\w+ is (waiting|starting|cloning|running), no diff yet\./);
    await hangar(['cancel', first.answer.id]);
  }, 60_000);

  it('sends nothing when one of the agents cannot work', async () => {
    const prose = join(server.dir, 'prose.md');
    writeFileSync(prose, '# Only words\n\nPlease.\n');
    const before = await json<{ items: Job[] }>(['jobs']);
    const refused = await hangar(['run', '--cloud', '--spec', prose, '--agents', `claude,shell`]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/agent shell has nothing to run\. Nothing was sent\. \[spec_no_commands\]/);
    const after = await json<{ items: Job[] }>(['jobs']);
    expect(after.answer.items.map(({ id }) => id)).toEqual(before.answer.items.map(({ id }) => id));
  });

  it('is the same jobs with the same idempotency key, though the checkout was packed again', async () => {
    const again = () =>
      json<Group>(['run', '--cloud', '--spec', spec, '--times', '2', '--idempotency-key', 'once', '--wait']);
    const [first, second] = [await again(), await again()];
    expect(second.answer.group).toBe(first.answer.group);
    expect(second.answer.items.map(({ id }) => id)).toEqual(first.answer.items.map(({ id }) => id));
  }, 60_000);
});
