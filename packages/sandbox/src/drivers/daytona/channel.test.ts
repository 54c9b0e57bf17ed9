import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { createEnding } from './channel.ts';

describe('the end of a channel', () => {
  it('comes once, with all that was printed before it', async () => {
    const onOver = vi.fn();
    const ending = createEnding(onOver);
    ending.print('stdout', 'out');
    ending.print('stderr', Buffer.from([0x65]));
    ending.exited({ code: 3, signal: null });
    ending.lost(new Error('too late'));
    ending.print('stdout', 'too late');
    expect(await Promise.all([text(ending.stdout), text(ending.stderr), ending.exit])).toEqual([
      ...['out', 'e', { code: 3, signal: null }],
    ]);
    expect(onOver).toHaveBeenCalledOnce();
  });

  it('comes when nobody reads and more is printed than is kept', async () => {
    const part = Buffer.alloc(1024 * 1024);
    const [read, unread] = [createEnding(() => {}), createEnding(() => {})];
    let seen = 0;
    read.stdout.on('data', (bytes: Buffer) => {
      seen += bytes.length;
    });
    for (let index = 0; index < 40; index += 1) {
      read.print('stdout', part);
      unread.print('stdout', part);
      await new Promise(setImmediate);
    }
    await expect(unread.exit).rejects.toMatchObject({ code: 'connection_lost' });
    expect([read.isOver, seen]).toEqual([false, 40 * part.length]);
  });
});
