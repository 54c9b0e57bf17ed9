import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeskAtServer, deskAtServer } from '../../testing/desk-at-server.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
beforeEach(async () => {
  at = await deskAtServer();
  ({ server, desk } = at);
});
afterEach(() => at.leave());

const only = () => {
  const [sandbox] = server.sandboxes.all.values();
  if (sandbox === undefined) throw new Error('There is no sandbox.');
  return sandbox;
};

describe('sandbox open', () => {
  it('prints the id once it runs, and says meanwhile what it waits for', async () => {
    const ended = await desk.run(['sandbox', 'open', '--name', 'try', '--idle', '30m', '-e', 'A=b', '--cpus', '2']);
    expect(ended).toMatchObject({ code: 0, stdout: `${only().id}\n` });
    expect(ended.stderr).toMatch(
      /^○ Waiting for a free place\n◐ starting: Pulling its image\n✓ running: Its machine runs\nOn local; closed when unused for 30 min, or after 1 d\.\nNext: hangar sandbox exec s_/,
    );
    expect(only()).toMatchObject({ name: 'try', idleSeconds: 1800, envNames: ['A'], resources: { cpus: 2 } });
  });

  it('prints nothing but JSON on stdout for a script', async () => {
    const ended = await desk.shell(`hangar sandbox open --json 2> said | jq -r .id`).ended;
    expect(ended).toEqual({ code: 0, stdout: `${only().id}\n`, stderr: '' });
    expect(await desk.json(['sandbox', 'open', '--no-wait'])).toMatchObject({ state: 'queued' });
  });

  it('opens one when the answer gets lost, and one for a key', async () => {
    server.loseAnswers = 1;
    const { id } = await desk.json(['sandbox', 'open', '--no-wait', '--idempotency-key', 'k']);
    expect((await desk.json(['sandbox', 'open', '--no-wait', '--idempotency-key', 'k'])).id).toBe(id);
    expect(server.sandboxes.all.size).toBe(1);
  });

  it('is an error with the code and the way out of what failed', async () => {
    const failure = { code: 'driver_quota', message: 'No more machines', wayOut: 'Close one: hangar sandbox close ID' };
    server.sandboxes.opening = [{ state: 'failed', reason: 'No more machines', failure }];
    const ended = await desk.run(['sandbox', 'open', '--json']);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout).error).toMatchObject({
      code: 'driver_quota',
      wayOut: `Close one: hangar sandbox close ${only().id}`,
    });
    expect(ended.stderr).toContain('No more machines. [driver_quota]');
    server.sandboxes.opening = [{ state: 'closed', reason: 'Closed as asked' }];
    expect((await desk.run(['sandbox', 'open'])).stderr).toContain('[sandbox_closed]');
  });

  it('Ctrl-C stops the waiting and says how to close it', async () => {
    server.sandboxes.opening = [];
    const opening = desk.start(['sandbox', 'open']);
    await opening.saw('Waiting for a free place');
    opening.child.kill('SIGINT');
    const ended = await opening.ended;
    expect(ended).toMatchObject({ code: 130, stdout: '' });
    expect(ended.stderr).toContain(`goes on opening. Close it: hangar sandbox close ${only().id}`);
  });

  it('waits through a restart of the server', async () => {
    server.sandboxes.opening = [];
    const opening = desk.start(['sandbox', 'open']);
    await opening.saw('Waiting for a free place');
    await server.stop();
    await opening.saw('Connection lost');
    server.sandboxes.change(only().id, { state: 'running', reason: 'Its machine runs' });
    await server.start();
    expect(await opening.ended).toMatchObject({ code: 0, stdout: `${only().id}\n` });
  });
});

describe('sandbox close', () => {
  it('waits until nothing is left of each', async () => {
    const [one, two] = [server.sandboxes.add(), server.sandboxes.add()];
    const ended = await desk.run(['sandbox', 'close', one, two]);
    expect(ended).toMatchObject({
      code: 0,
      stdout: `${one} – Closed as asked\n${two} – Closed as asked\n`,
    });
    expect(ended.stderr).toContain('Its machine is being removed');
    expect((await desk.json(['sandbox', 'close', one, two])).items).toHaveLength(2);
  });

  it('closes the others when one is not there', async () => {
    const id = server.sandboxes.add();
    const ended = await desk.run(['sandbox', 'close', 's_notthere', id]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('[sandbox_not_found]') });
    expect(only().state).toBe('closed');
  });

  it('says that a machine is kept, and for how long', async () => {
    const id = server.sandboxes.add({ closesAt: new Date(Date.now() + 7_200_000).toISOString() });
    const ended = await desk.run(['sandbox', 'close', id, '--keep']);
    expect(ended.stdout).toBe(`${id} is left, and its machine kept; unused, it closes in 2 h.\n`);
    expect(only().state).toBe('running');
  });
});

describe('sandbox list, show, pause and resume', () => {
  it('lists what there is, and what to type next', async () => {
    expect((await desk.run(['sandbox', 'list'])).stderr).toBe('No sandboxes.\nNext: hangar sandbox open\n');
    const id = server.sandboxes.add({ name: 'try', executionsRunning: 2 });
    const ended = await desk.run(['sandbox', 'list', '--state', 'running']);
    expect(ended.stdout).toMatch(new RegExp(`^${id}  ✓ running  just now  local  2 running +try\n$`));
    expect(ended.stderr).toBe(`Next: hangar sandbox show ${id}\n`);
    expect((await desk.json(['sandbox', 'list', '--state', 'closed'])).items).toEqual([]);
  });

  it('shows one with its limits and what was executed in it, by its id or the newest', async () => {
    expect((await desk.run(['sandbox'])).stderr).toContain('You have no sandbox that is open.');
    const id = server.sandboxes.add({
      closesAt: new Date(Date.now() + 7_200_000).toISOString(),
      resources: { cpus: 2 },
    });
    server.sandboxes.program = (execution) => execution.end({ state: 'failed', exitCode: 7 });
    await desk.run(['sandbox', 'exec', id, '--', 'make', 'all']);
    const ended = await desk.run(['sandbox', id]);
    expect(ended.stdout).toMatch(/✓ running since just now\nWhy +Its machine runs\n/);
    expect(ended.stdout).toMatch(/Limits +2 CPUs\nCloses +in 2 h \(unused for 1 h, or after 1 d\)\n/);
    expect(ended.stdout).toMatch(/ {2}e_[0-9a-f]+ {2}✗ failed {2}exit code 7 .*make all\n$/);
    expect(ended.stderr).toBe(`Next: hangar sandbox exec ${id} -- COMMAND   or   hangar sandbox close ${id}\n`);
    const shown = await desk.json(['sandbox', 'show']);
    expect(shown).toMatchObject({ id, executions: [{ exitCode: 7 }] });
  });

  it('pauses, and goes on', async () => {
    const id = server.sandboxes.add();
    expect(await desk.run(['sandbox', 'pause', id])).toMatchObject({ code: 0, stdout: `${id} – paused\n` });
    expect(await desk.json(['sandbox', 'resume', id])).toMatchObject({ id, state: 'running' });
    server.sandboxes.change(id, { state: 'closed' });
    expect((await desk.run(['sandbox', 'resume', id])).stderr).toContain('[sandbox_closed]');
  });
});
