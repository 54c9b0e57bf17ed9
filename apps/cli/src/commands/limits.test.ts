import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeskAtServer, deskAtServer } from '../testing/desk-at-server.ts';

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

describe('a limit that is given as an option', () => {
  it.each([
    ['profiles create x --driver local --cpus 2000', '--cpus is 2000: it must be from 0.1 to 1024.'],
    ['profiles create x --driver local --memory 1m', '--memory is 1 MiB: it must be at least 32 MiB.'],
    ['profiles update x --memory 99999999999t', '--memory is larger than anything can be.'],
    ['profiles create x --driver local --pids 2', '--pids is 2: it must be from 16 to 1000000.'],
    ['profiles update x --jobs-at-once 0', '--jobs-at-once is 0: it must be from 1 to 10000.'],
    ['jobs --limit 201', '--limit is 201: it must be from 1 to 200.'],
    ['jobs --limit 0', '--limit is 0: it must be from 1 to 200.'],
    ['activity --limit 101', '--limit is 101: it must be from 1 to 100.'],
    ['sandbox list --limit 201', '--limit is 201: it must be from 1 to 200.'],
    ['sandbox open --idle 10s', '--idle is 10 s: it must be from 30 s to 30 d.'],
    ['sandbox open --memory 1m', '--memory is 1 MiB: it must be at least 32 MiB.'],
    ['sandbox exec s_7k2m9p4x --timeout 31d -- true', '--timeout is 31 d: it must be from 1 s to 30 d.'],
    ['sandbox exec s_7k2m9p4x --user 1000 -- true', '--user is not right: The name of an account.'],
    ['k8s pods --limit 501', '--limit is 501: it must be from 1 to 500.'],
    ['k8s pods --offset 1000001', '--offset is 1000001: it must be from 0 to 1000000.'],
    ['plans put x --max-timeout 5s', '--max-timeout is 5 s: it must be from 1 min to 30 d.'],
    ['plans put x --minutes-per-month 0', '--minutes-per-month is 0: it must be at least 1.'],
    ['plans put x --keep-logs 40000', '--keep-logs is 40000: it must be from 1 to 36500.'],
  ])('is told in words of the command line, and nothing is sent: %s', async (line, says) => {
    const ended = await desk.run(line.split(' '));
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(says);
    expect(ended.stderr).toContain(
      `hangar ${/^[a-z0-9]+( (create|update|put|pods|list|open|exec))?/.exec(line)?.[0]} --help`,
    );
    expect(ended.stderr).toContain('[usage]');
    expect(server.requests).toEqual([]);
  });
});
