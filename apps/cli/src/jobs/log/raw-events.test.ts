import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Desk } from '../../testing/hangar.ts';

vi.setConfig({ testTimeout: 120_000 });

const RECORDED = join(import.meta.dirname, '../../../../../packages/worker/src/agent/output/recorded/codex.jsonl');

let desk: Desk;
beforeEach(() => {
  desk = new Desk({ HANGAR_SERVER: 'http://127.0.0.1:1' });
  desk.repo('app', { 'a.txt': 'a\n' });
});
afterEach(() => desk.dispose());

describe('an agent that prints events, on this machine', () => {
  it('shows its steps in the terminal, and the events with --raw', async () => {
    desk.write('bin/codex', `#!/bin/sh\ncat ${RECORDED}\necho hi > hello.txt\n`);
    chmodSync(desk.path('bin/codex'), 0o755);
    const env = { PATH: `${desk.path('bin')}:${process.env.PATH}` };
    const run = await desk.run(['run', '--agent', 'codex'], { cwd: 'app', input: '# Do it\n', env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toContain('▸ Shell: echo made by a command > made.txt; echo visible\n');
    expect(run.stdout).toContain('Used 4,600 tokens in (1,200 cached), 80 out\n');
    expect(run.stdout).not.toContain('{"type"');
    const id = /l_[0-9a-z]+/.exec(run.stderr)?.[0] ?? '';
    const raw = await desk.run(['logs', id, '--raw'], { cwd: 'app' });
    expect(raw.stdout).toBe(readFileSync(RECORDED, 'utf8'));
  });

  it('says why there are none', async () => {
    const run = await desk.run(['run', '--agent', 'cat'], { cwd: 'app', input: '# Do it\n' });
    const id = /l_[0-9a-z]+/.exec(run.stderr)?.[0] ?? '';
    const raw = await desk.run(['logs', id, '--raw'], { cwd: 'app' });
    expect(raw.code).toBe(2);
    expect(raw.stderr).toContain(`${id} has no raw events`);
    const filtered = await desk.run(['logs', id, '--raw', '--tail', '3'], { cwd: 'app' });
    expect(filtered.stderr).toContain('--raw prints all events');
  });
});
