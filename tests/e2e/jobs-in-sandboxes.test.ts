import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KINDS } from './kinds-of-machines.ts';
import { makeRepo, ServerProcess } from './server-process.ts';

/** What an agent finds, and what it leaves. */
const LOOK = `# Look around

\`\`\`sh
cat draft "$HOME/state-of-sandbox"
[ "$OF_SANDBOX $OF_JOB" = "of-the-sandbox of-the-job" ] && echo "has both, id $HANGAR_JOB_ID"
echo worked > made; git add made; git commit --quiet --message made
setsid sleep 4242 >/dev/null 2>&1 &
\`\`\`
`;
const COUNT = `# Count

\`\`\`sh
for i in $(seq 12); do echo "line $i"; sleep 1; done
echo counted > counted
\`\`\`
`;
const WAIT = `# Wait

\`\`\`sh
echo begun > begun
echo it waits
sleep 6007
\`\`\`
`;

let server: ServerProcess;
let repo: string;
const opened: AsyncDisposable[] = [];

beforeAll(async () => {
  server = await (await ServerProcess.make({ HANGAR_ALLOW_LOCAL_HOSTS: 'true' })).start();
  await server.signIn();
  repo = await makeRepo(join(server.dir, 'repo'));
  writeFileSync(join(repo, 'draft'), 'uncommitted\n');
  for (const [name, text] of Object.entries({ look: LOOK, count: COUNT, wait: WAIT }))
    writeFileSync(join(server.dir, `${name}.md`), text);
}, 120_000);
afterAll(async () => {
  await server?.remove();
  for (const one of opened) await one[Symbol.asyncDispose]();
});

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly sandbox: string | null;
  readonly failure: { readonly code: string; readonly wayOut: string } | null;
  readonly diff: { readonly filesChanged: number; readonly partial: boolean } | null;
}

const run = (...args: string[]) => server.hangar(args, { cwd: repo });
async function good(...args: string[]): Promise<string> {
  const ran = await run(...args);
  expect(ran.exitCode, ran.stderr).toBe(0);
  return ran.stdout;
}
const shown = async (id: string) => JSON.parse(await good('status', id, '--json')) as Shown;
const spec = (name: string) => join(server.dir, `${name}.md`);
const sent = async (sandbox: string, name: string, ...more: string[]): Promise<string> =>
  (await good('run', '--in', sandbox, '--agent', 'shell', '--spec', spec(name), ...more)).trim();
const untilLog = (id: string, text: string) =>
  expect.poll(async () => (await run('logs', id)).stdout, { timeout: 60_000 }).toContain(text);
async function untilState(id: string, state: string): Promise<void> {
  const now = async () => (await shown(id)).state;
  await expect.poll(now, { timeout: 90_000 }).toMatch(/^(succeeded|failed|cancelled|timed_out|lost)$/);
  expect(await now(), (await run('logs', id)).stdout).toBe(state);
}

/** Processes of the machine that sleep so long. */
const running = (seconds: string) =>
  `for at in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$at; echo; done 2>/dev/null | grep '^sleep ${seconds}' || true`;

function story(profile: () => Promise<string>): void {
  let sandbox = '';
  const inside = async (shell: string) => good('sandbox', 'exec', sandbox, '--shell', shell);
  const opens = async (...more: string[]) =>
    (JSON.parse(await good('sandbox', 'open', '--on', await profile(), '--json', ...more)) as { id: string }).id;

  it('works in the sandbox as it is, in a folder of its own, and brings a diff back', async () => {
    sandbox = await opens('--env', 'OF_SANDBOX=of-the-sandbox');
    await inside('echo state of the sandbox > "$HOME/state-of-sandbox"');
    const id = await sent(sandbox, 'look', '--env', 'OF_JOB=of-the-job');
    await untilState(id, 'succeeded');
    const log = await good('logs', id);
    expect(log).toContain('uncommitted');
    expect(log).toContain('state of the sandbox');
    expect(log).toContain(`has both, id ${id}`);
    expect(await shown(id)).toMatchObject({ sandbox, diff: { filesChanged: 1, partial: false } });
    expect(await good('pull', id, '--output', '-')).toContain('+worked');
    // Nothing of it is left but what the agent put outside of its folder.
    await expect.poll(() => inside('ls .hangar/jobs "$HOME/.hangar/jobs" 2>/dev/null || true')).not.toContain(id);
    expect(await inside(running('4242'))).not.toContain('4242');
    expect(await inside('cat "$HOME/state-of-sandbox"')).toContain('state');
  }, 180_000);

  it('two at once do not meet, and go on while the server is killed', async () => {
    const ids = await Promise.all([sent(sandbox, 'count'), sent(sandbox, 'count')]);
    for (const id of ids) await untilLog(id, 'line 3');
    await server.kill('SIGKILL');
    await server.start();
    for (const id of ids) {
      await untilState(id, 'succeeded');
      const lines = (await good('logs', id)).match(/line \d+/g) ?? [];
      expect(lines).toEqual(Array.from({ length: 12 }, (_, n) => `line ${n + 1}`));
      expect((await shown(id)).diff).toMatchObject({ filesChanged: 1 });
    }
  }, 240_000);

  it('is cancelled with what it has done so far; the sandbox stays', async () => {
    const id = await sent(sandbox, 'wait');
    await untilLog(id, 'it waits');
    expect(await inside(running('6007'))).toContain('6007');
    await good('cancel', id);
    await untilState(id, 'cancelled');
    expect((await shown(id)).diff).toMatchObject({ filesChanged: 1, partial: true });
    expect(await inside(running('6007'))).not.toContain('6007');
    expect(await inside('echo alive')).toContain('alive');
  }, 180_000);

  it('leaves nothing behind when its worker is killed', async () => {
    const id = await sent(sandbox, 'wait');
    await untilLog(id, 'it waits');
    await inside(
      `for at in /proc/[0-9]*; do grep -qz '^HANGAR_WORKER_DIR=.*${id}' $at/environ && kill -9 ${'$'}{at#/proc/}; done 2>/dev/null; true`,
    );
    await untilState(id, 'lost');
    await expect.poll(() => inside(running('6007')), { timeout: 60_000 }).not.toContain('6007');
    expect(await inside('echo alive')).toContain('alive');
  }, 180_000);

  it('ends with the sandbox, and says so', async () => {
    const id = await sent(sandbox, 'wait');
    await untilLog(id, 'it waits');
    await good('sandbox', 'close', sandbox);
    await untilState(id, 'lost');
    const ended = await shown(id);
    expect(ended.failure).toMatchObject({ code: 'sandbox_closed', wayOut: expect.stringContaining('sandbox open') });
    const again = await run('run', '--in', sandbox, '--agent', 'shell', '--spec', spec('look'));
    expect(again.stderr).toContain('sandbox_closed');
    const retried = await run('retry', id);
    expect(retried.stderr).toContain('sandbox_closed');
  }, 180_000);
}

it('says what does not go together', async () => {
  const both = await run('run', '--in', 's_0123456789', '--on', 'local', '--spec', spec('look'));
  expect(both.stderr).toContain('--on and --in do not go together');
  const none = await run('run', '--in', 's_0123456789', '--agent', 'shell', '--spec', spec('look'));
  expect(none.stderr).toContain('sandbox_not_found');
});

for (const kind of KINDS)
  describe.skipIf(kind.skipped)(`a job in a sandbox ${kind.title}`, () => {
    let made: Promise<string> | null = null;
    story(() => {
      made ??= kind.profile(server, opened);
      return made;
    });
  });
