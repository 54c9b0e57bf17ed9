import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect } from '../../server/api.ts';
import { AWAY_MS } from '../../server/through-breaks.ts';
import { readSettings } from '../../settings.ts';
import { type DeskAtServer, deskAtServer } from '../../testing/desk-at-server.ts';

import { followLog } from './log-reader.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

let at: DeskAtServer;
let server: DeskAtServer['server'];
let desk: DeskAtServer['desk'];
beforeEach(async () => {
  at = await deskAtServer();
  ({ server, desk } = at);
});
afterEach(async () => {
  vi.useRealTimers();
  await at.leave();
});

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);

describe('logs', () => {
  it('follows through cut streams and a restarted server, each line once and in order', async () => {
    const id = server.addJob();
    const logs = desk.start(['logs', id, '--follow']);
    server.addLines(id, numbers(1, 100));
    await logs.saw('line 100');
    server.cutStreams();
    server.addLines(id, numbers(101, 200));
    await logs.saw('line 200');
    await server.stop();
    server.addLines(id, numbers(201, 300));
    await logs.saw('Connection lost');
    await server.start();
    await logs.saw('line 300');
    server.cutStreams();
    server.addLines(id, numbers(301, 310));
    server.finish(id, null);
    const ended = await logs.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toBe(`${numbers(1, 310).join('\n')}\n`);
    expect(ended.stderr).toContain('Connected again.');
  });

  it('says that a proxy closes every stream, and goes on when it does not any more', async () => {
    const id = server.addJob();
    server.closeStreams = true;
    const logs = desk.start(['logs', id, '--follow']);
    await logs.saw('Connection lost');
    server.closeStreams = false;
    server.addLines(id, numbers(1, 3));
    server.finish(id, null);
    const ended = await logs.ended;
    expect(ended).toMatchObject({ code: 0, stdout: `${numbers(1, 3).join('\n')}\n` });
    expect(ended.stderr.match(/Connection lost|Connected again/g)).toEqual(['Connection lost', 'Connected again']);
  });

  it('gives up on streams that are closed at once as on a server that is away', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const id = server.addJob();
    server.closeStreams = true;
    const { signal } = new AbortController();
    const settings = readSettings({ HANGAR_TOKEN: server.apiKey }, desk.dir);
    const api = await connect({ settings, terminal: { warn: () => {} }, signal, server: server.url });
    const onConnection = () => void vi.setSystemTime(Date.now() + AWAY_MS + 1000);
    await expect(followLog(api, id, {}, { signal, onConnection }).next()).rejects.toMatchObject({
      code: 'server_unreachable',
    });
  });

  it.each(['{"n": 1}', '<html>'])('ends when it does not understand what comes: %s', async (garbage) => {
    const id = server.addJob();
    server.streamGarbage = garbage;
    const ended = await desk.run(['logs', id, '--follow']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('is not understood');
  });

  it('loses no line between the tail and what follows', async () => {
    const id = server.addJob();
    server.addLines(id, numbers(1, 50));
    const logs = desk.start(['logs', id, '--follow', '--tail', '2']);
    await logs.saw('line 50');
    server.cutStreams();
    server.addLines(id, numbers(51, 60));
    server.finish(id, null);
    expect((await logs.ended).stdout).toBe(`${numbers(49, 60).join('\n')}\n`);
  });

  it('pages through a long history, and shows its end or parts of it', async () => {
    const id = server.addJob();
    server.addLines(id, numbers(1, 25_000));
    server.addLines(id, [['stderr', 'Oh no']]);
    server.finish(id, null);
    const whole = await desk.run(['logs', id]);
    expect(whole.stdout).toBe(`${numbers(1, 25_000).join('\n')}\nOh no\n`);
    expect((await desk.run(['logs', id, '--tail', '2'])).stdout).toBe('line 25000\nOh no\n');
    expect((await desk.run(['logs', id, '--tail', '12000'])).stdout).toBe(
      `${numbers(13_002, 25_000).join('\n')}\nOh no\n`,
    );
    expect((await desk.run(['logs', id, '--grep', 'OH'])).stdout).toBe('Oh no\n');
    expect((await desk.run(['logs', id, '--stream', 'stderr'])).stdout).toBe('Oh no\n');
    const split = await desk.run(['logs', id, '--tail', '2', '--split', '--quiet']);
    expect(split).toMatchObject({ stdout: 'line 25000\n', stderr: 'Oh no\n' });
    const json = (await desk.run(['logs', id, '--tail', '1', '--json'])).stdout;
    expect(JSON.parse(json)).toMatchObject({ n: 25_001, stream: 'stderr', text: 'Oh no' });
  });

  it('prints nothing that could drive a terminal', async () => {
    const id = server.addJob();
    server.addLines(id, [
      '\u001b[31mred\u001b[0m \u001b]0;title\u0007after \u001b[2Jcleared \u001b[10;10Hmoved \u009b31mC1',
      '\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\ \u001bP1;2qsixel\u001b\\ \u001bc reset \u202eright to left',
      ' 10%\r 50%\r100%\r',
      'unfinished \u001b]52;c;aGk=',
    ]);
    server.finish(id, null);
    expect((await desk.run(['logs', id])).stdout).toBe(
      'red after cleared moved C1\nlink   reset right to left\n100%\nunfinished \n',
    );
  });

  it('ends with 0 whatever the job did, with 5 when asked to tell', async () => {
    const id = server.addJob();
    server.finish(id, null, 'failed');
    expect((await desk.run(['logs', id, '--follow'])).code).toBe(0);
    expect((await desk.run(['logs', id, '--follow', '--exit-code'])).code).toBe(5);
  });

  it('says what is wrong with an id or a time', async () => {
    expect(await desk.run(['logs', 'nonsense'])).toMatchObject({ code: 2 });
    expect(await desk.run(['logs', 'j_notthere', '--follow'])).toMatchObject({ code: 2 });
    expect((await desk.run(['logs', 'j_notthere', '--since', 'yesterday'])).stderr).toContain(
      'neither a time nor an age',
    );
  });
});
