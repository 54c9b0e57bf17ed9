import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, ServerProcess } from './server-process.ts';

let server: ServerProcess;
let repo: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'));
});
afterAll(() => server?.remove());

let count = 0;
/** What `hangar status` says of a job that ended badly, wrapped lines joined. */
async function statusOf(script: string, ...options: string[]): Promise<{ text: string; next: string; id: string }> {
  const file = join(server.dir, `spec-${count++}.md`);
  writeFileSync(file, `# Try\n\n\`\`\`sh\n${script}\n\`\`\`\n`);
  const sent = await server.hangar(['run', '--cloud', '--spec', file, '--wait', '--json', ...options], { cwd: repo });
  expect(sent.exitCode).toBe(5);
  const { id } = JSON.parse(sent.stdout) as { id: string };
  const status = await server.hangar(['status', id], { cwd: repo });
  return { text: status.stdout.replaceAll(/\n {11}/g, ' '), next: status.stderr, id };
}

describe('hangar status explains a failed job', () => {
  it('an exit code, with the line of the log that shows why', async () => {
    const { text, next, id } = await statusOf(
      'echo building; printf "\\033[31merror: cannot find module left-pad\\033[0m\\n" >&2; echo "npm error A complete log of this run can be found in: x" >&2; exit 3',
    );
    expect(text).toMatch(/✗ failed/);
    expect(text).toContain('Failure    The agent ended with exit code 3. [agent_failed]');
    expect(text).toMatch(/Shown by {3}line \d+: error: cannot find module left-pad\n/);
    expect(text).toContain(`What to do Read the end of the log: hangar logs ${id} --tail 50`);
    expect(next).toContain(`Next: hangar logs ${id} --tail 50   or   hangar retry ${id}`);
  }, 60_000);

  it('an agent that is not there', async () => {
    const { text } = await statusOf('true', '--agent', 'no-such-agent --fix');
    expect(text).toMatch(/Failure .*\[agent_missing\]/);
    expect(text).toMatch(/Shown by {3}line \d+: .*no-such-agent.*not found/);
  }, 60_000);

  it('a timeout, with the last word of the agent', async () => {
    const { text } = await statusOf('echo "error: an old one"; echo "part 4 of 9"; sleep 60', '--timeout', '5s');
    expect(text).toMatch(/✗ timed out/);
    expect(text).toMatch(/Failure .*\[job_timeout\]/);
    expect(text).toMatch(/Shown by {3}line \d+: part 4 of 9/);
    expect(text).toContain('--timeout');
  }, 60_000);

  it('shows what each phase usually takes, once there were jobs to know it from', async () => {
    const file = join(server.dir, 'well.md');
    writeFileSync(file, '# Well\n\n```sh\ntrue\n```\n');
    const sent = await server.hangar(['run', '--cloud', '--spec', file, '--times', '3', '--wait', '--json'], {
      cwd: repo,
    });
    expect(sent.exitCode).toBe(0);
    const { items } = JSON.parse(sent.stdout) as { items: { id: string }[] };
    const { stdout } = await server.hangar(['status', items[2]?.id ?? '']);
    expect(stdout).toMatch(/running +[\d.]+ m?s +(usually [\d.]+ m?s|[\d.]+ times the usual)/);
    expect(stdout).toMatch(/Group +well-\w{4}; hangar compare --group well-/);
  }, 60_000);
});
