import { PassThrough, Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Channel, Machine } from '../port/machine.ts';
import { processMachine } from '../testing/process-machine.ts';
import { createTalk } from './talk.ts';

const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/tmp' };
const call = () => ({ signal: AbortSignal.timeout(60_000) });

test('who goes away while a channel opens is not held by it', async () => {
  const inner = processMachine({ env });
  const opened: Channel[] = [];
  const away = new AbortController();
  const machine: Machine = {
    capabilities: inner.capabilities,
    async open(argv, o) {
      const channel = await inner.open(argv, o);
      opened.push(channel);
      away.abort(new Error('gone away'));
      return channel;
    },
  };
  await expect(createTalk(machine, undefined).ask('sleep 1', [], { signal: away.signal })).rejects.toThrow('gone away');
  await expect(opened[0]?.exit).rejects.toMatchObject({ code: 'connection_lost' });
});

test('a program that stops reading is heard to its end, and what is sent to it is let go', async () => {
  const body = new PassThrough();
  const asking = createTalk(processMachine({ env }), undefined).ask(
    'head -c 1 >/dev/null; exec <&-; echo full >&2; exit 5',
    [],
    { ...call(), input: body },
  );
  const closed = new Promise((resolve) => body.once('close', resolve));
  const feeding = Readable.from(endless(), { objectMode: false });
  feeding.on('error', () => undefined).pipe(body.on('error', () => undefined));
  expect(await asking).toMatchObject({ code: 5, error: 'full' });
  await closed;
  expect(body.errored).toBeNull();
  feeding.destroy();
});

test('what cannot be read to its end is no end of it for the program', async () => {
  const taken: string[] = [];
  let ended = false;
  const machine: Machine = {
    capabilities: processMachine({ env }).capabilities,
    async open() {
      const out = { stdout: new PassThrough(), stderr: new PassThrough() };
      const { promise: exit, reject } = Promise.withResolvers<never>();
      exit.catch(() => undefined);
      const stdin = new Writable({
        write(chunk, _encoding, done) {
          taken.push(String(chunk));
          done();
        },
        final(done) {
          ended = true;
          done();
        },
      });
      const close = () => {
        for (const stream of Object.values(out)) stream.destroy();
        reject(new Error('closed'));
      };
      return { stdin, ...out, exit, close };
    },
  };
  const input = Readable.from(
    (async function* () {
      yield 'half';
      throw new Error('the disk here fails');
    })(),
    { objectMode: false },
  );
  await expect(createTalk(machine, undefined).ask('cat', [], { ...call(), input })).rejects.toThrow();
  expect(taken.join('')).toBe('half');
  expect(ended).toBe(false);
});

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}
