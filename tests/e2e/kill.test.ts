import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { makeRepo, ServerProcess } from './server-process.ts';

/** A line every 100 ms for 20 s. */
const SPEC = `# Count\n\n\`\`\`sh\necho begun\ni=1; while [ $i -le 200 ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done\n\`\`\`\n`;

let server: ServerProcess | undefined;
afterEach(() => server?.remove());

describe('kill -9 of the server in mid-job', () => {
  it('the job succeeds, the log has each line once and in order, a connected follower resumes', async () => {
    server = await (await ServerProcess.make()).start();
    await server.signIn();
    const repo = await makeRepo(join(server.dir, 'repo'));
    const file = join(server.dir, 'spec.md');
    writeFileSync(file, SPEC);
    const { stdout } = await server.hangar(['run', '--cloud', '--spec', file, '--json'], { cwd: repo });
    const { id } = JSON.parse(stdout) as { id: string };
    const following = server.hangar(['logs', id, '--follow'], { cwd: repo });

    await sleep(8_000);
    await server.kill('SIGKILL');
    await sleep(3_000);
    await server.start();

    const followed = await following;
    const count = (text: string) => text.split('\n').filter((line) => /^line \d+$/.test(line.trim()));
    const expected = Array.from({ length: 200 }, (_, index) => `line ${index + 1}`);
    expect(count(followed.stdout)).toEqual(expected);
    expect(followed.stdout.split('\n').filter((line) => line.trim() === 'begun')).toHaveLength(1);
    const history = await server.hangar(['logs', id], { cwd: repo });
    expect(count(history.stdout)).toEqual(expected);
    const status = await server.hangar(['status', id, '--json'], { cwd: repo });
    expect((JSON.parse(status.stdout) as { state: string }).state).toBe('succeeded');
  }, 120_000);
});
