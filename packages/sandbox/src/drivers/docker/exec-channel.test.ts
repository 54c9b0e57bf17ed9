import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HangarError } from '@hangar/contract';
import { describe, expect, test } from 'vitest';

import { createExecChannel } from './exec-channel.ts';
import type { MachineEngine } from './exec-state.ts';

/** A process that never began, in a container that is still said to run: `stops` is what waiting for its end finds. */
function refused(words: string, stops: 'in a moment' | 'not') {
  const asked: string[] = [];
  const engine: MachineEngine = {
    host: 'unix:///scripted.sock',
    isLocal: true,
    upgrade: () => Promise.reject(new Error('Nothing is opened here.')),
    async json(method, path) {
      asked.push(`${method} ${path}`);
      if (path === '/exec/x1/json') return { Running: false, ExitCode: 126, Pid: 0 };
      if (path === '/containers/box/json') return { State: { Running: true, Paused: false } };
      if (path !== '/containers/box/wait') throw new Error(`Nobody asks for ${path}.`);
      if (stops === 'not') throw new HangarError('driver_unavailable');
      return { StatusCode: 137 };
    },
  };
  const output = new PassThrough();
  output.end(printed(words));
  return { channel: channelOn(engine, output), asked };
}

function printed(text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

const channelOn = (engine: MachineEngine, output: PassThrough) =>
  createExecChannel({
    ...{ engine, container: 'box', id: 'x1', output, socket: new Socket() },
    ...{ stdin: false, terminal: false },
  });

const STOPPING = 'OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown\r\n';
const NO_PROGRAM =
  'OCI runtime exec failed: exec failed: unable to start container process: exec: "none": executable file not found in $PATH: unknown\r\n';

test('what a container refuses that stops, though it is still said to run, is no exit', async () => {
  const { channel } = refused(STOPPING, 'in a moment');
  await expect(channel.exit).rejects.toMatchObject({ code: 'sandbox_gone' });
});

test('what a container refuses that goes on running is an exit', async () => {
  const { channel } = refused(STOPPING, 'not');
  expect(await channel.exit).toEqual({ code: 126, signal: null });
  expect(await text(channel.stderr)).toBe(STOPPING);
});

test('a program that is none is told at once, and nobody waits for an end of its container', async () => {
  const { channel, asked } = refused(NO_PROGRAM, 'in a moment');
  expect(await channel.exit).toEqual({ code: 127, signal: null });
  expect(asked).not.toContain('POST /containers/box/wait');
});

describe('a connection that is reset after the end of a process', () => {
  function reset(o: { readonly isLocal: boolean; readonly bytes?: number; readonly syscall?: string }) {
    const engine: MachineEngine = {
      ...{ host: 'scripted', isLocal: o.isLocal, upgrade: () => Promise.reject(new Error('Nothing is opened here.')) },
      json: async () => ({ Running: false, ExitCode: 5, Pid: 7 }),
    };
    const output = new PassThrough();
    const channel = channelOn(engine, output);
    output.write(printed('all of it\n').subarray(0, o.bytes));
    setTimeout(
      () => output.destroy(Object.assign(new Error(), { code: 'ECONNRESET', syscall: o.syscall ?? 'read' })),
      50,
    );
    return channel;
  }

  test('has brought all, where the Engine is on this machine: it only did not read all input', async () => {
    const channel = reset({ isLocal: true });
    expect(await text(channel.stdout)).toBe('all of it\n');
    expect(await channel.exit).toEqual({ code: 5, signal: null });
  });

  test.each([
    ['from afar', { isLocal: false }],
    ['in the middle of a frame', { isLocal: true, bytes: 12 }],
    ['while something is written, which ends the reading', { isLocal: true, syscall: 'write' }],
  ])('may have lost something %s', async (_, o) => {
    await expect(text(reset(o).stdout)).rejects.toMatchObject({ code: 'connection_lost' });
  });
});
