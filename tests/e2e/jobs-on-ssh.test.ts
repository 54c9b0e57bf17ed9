import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSshd, type TestSshd, whyNoSshd } from '../../packages/sandbox/src/drivers/ssh/testing/sshd.ts';
import { makeRepo, ServerProcess } from './server-process.ts';

const HELLO = '# Add a file\n\n```sh\necho hello > hello.txt; echo out; echo err >&2\n```\n';
const count = (lines: number) =>
  `# Count\n\n\`\`\`sh\necho begun\ni=1; while [ $i -le ${lines} ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done\n\`\`\`\n`;

describe.skipIf(whyNoSshd !== null)(`jobs on ssh${whyNoSshd === null ? '' : `, skipped: ${whyNoSshd}`}`, () => {
  let server: ServerProcess;
  let sshd: TestSshd;
  let repo: string;

  beforeAll(async () => {
    sshd = await startSshd();
    server = await (await ServerProcess.make({ HANGAR_ALLOW_LOCAL_HOSTS: 'true' })).start();
    await server.signIn();
    repo = await makeRepo(join(server.dir, 'repo'));
    const key = join(server.dir, 'key');
    writeFileSync(key, sshd.key, { mode: 0o600 });
    const settings = ['host=127.0.0.1', `port=${sshd.port}`, `user=${userInfo().username}`];
    const created = await server.hangar([
      ...['profiles', 'create', 'box', '--driver', 'ssh', '--key', key],
      ...settings.flatMap((setting) => ['--set', setting]),
    ]);
    expect(created.exitCode, created.stderr).toBe(0);
  });
  afterAll(async () => {
    await server?.remove();
    await sshd?.[Symbol.asyncDispose]();
  });

  async function submit(name: string, text: string): Promise<string> {
    const spec = join(server.dir, `${name}.md`);
    writeFileSync(spec, text);
    const args = ['run', '--cloud', '--agent', 'shell', '--spec', spec, '--json', '--on', 'box'];
    const { stdout, stderr, exitCode } = await server.hangar(args, { cwd: repo });
    expect(exitCode, stderr).toBe(0);
    return (JSON.parse(stdout) as { id: string }).id;
  }
  const stateOf = async (id: string): Promise<string> => {
    const { stdout } = await server.hangar(['status', id, '--json'], { cwd: repo });
    const job = JSON.parse(stdout) as { state: string; reason: string };
    return `${job.state}: ${job.reason}`;
  };
  /** Folders of units on the machine. */
  const units = (): string[] => {
    const base = join(sshd.home, '.hangar');
    return readdirSync(base)
      .filter((name) => name !== 'programs')
      .flatMap((instance) => readdirSync(join(base, instance)));
  };
  const lines = (text: string) => text.split('\n').filter((line) => /^line \d+$/.test(line.trim()));

  it('runs, is watched and pulled', async () => {
    const id = await submit('hello', HELLO);
    const followed = await server.hangar(['logs', id, '--follow'], { cwd: repo });
    expect(await stateOf(id)).toMatch(/^succeeded/);
    expect(followed.stdout.split('\n')).toEqual(
      expect.arrayContaining([expect.stringContaining('out'), expect.stringContaining('err')]),
    );
    const pulled = await server.hangar(['pull', id], { cwd: repo });
    expect(pulled.exitCode, pulled.stderr).toBe(0);
    expect(readFileSync(join(repo, 'hello.txt'), 'utf8')).toBe('hello\n');
    expect((await server.hangar(['pull', '--undo'], { cwd: repo })).exitCode).toBe(0);
    expect(existsSync(join(repo, 'hello.txt'))).toBe(false);
    // Nothing is left of it but what the next one runs with.
    await expect.poll(units, { timeout: 60_000 }).toEqual([]);
    expect(readdirSync(join(sshd.home, '.hangar/programs'))).toHaveLength(1);
  }, 180_000);

  it('is cancelled, and nothing of it runs on', async () => {
    const id = await submit('long', count(5_000));
    await expect
      .poll(async () => (await server.hangar(['logs', id], { cwd: repo })).stdout, { timeout: 90_000 })
      .toContain('line 3');
    const cancelled = await server.hangar(['cancel', id], { cwd: repo });
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    await expect.poll(() => stateOf(id), { timeout: 90_000 }).toMatch(/^cancelled/);
    await expect.poll(units, { timeout: 60_000 }).toEqual([]);
    expect(processesOf(id)).toEqual([]);
  }, 240_000);

  it('outlives a server that is killed: each line once, and in order', async () => {
    const id = await submit('count', count(150));
    const following = server.hangar(['logs', id, '--follow'], { cwd: repo });
    await expect
      .poll(async () => (await server.hangar(['logs', id], { cwd: repo })).stdout, { timeout: 90_000 })
      .toContain('line 3');
    await server.kill('SIGKILL');
    await server.start();
    const followed = await following;
    expect(lines(followed.stdout)).toEqual(Array.from({ length: 150 }, (_, index) => `line ${index + 1}`));
    expect(followed.stdout.split('\n').filter((line) => line.trim() === 'begun')).toHaveLength(1);
    await expect.poll(() => stateOf(id), { timeout: 60_000 }).toMatch(/^succeeded/);
  }, 240_000);
});

/** What runs on this machine with the mark of the job's unit. */
function processesOf(id: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`/${id}-`);
      } catch {
        return false;
      }
    });
}
