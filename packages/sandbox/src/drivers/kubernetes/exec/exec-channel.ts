import { Writable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { WebSocket } from 'ws';
import { createOutlets } from '../../../machine/outlets.ts';
import type { Channel, Exit, TerminalSize } from '../../../port/machine.ts';
import { tidy } from '../unit/unit-state.ts';
import type { ExecPod } from './exec-pod.ts';
import { CHANNEL, END_OF_INPUT, inputFrames, resizeFrame } from './frames.ts';
import { createPulse } from './pulse.ts';
import { type Ended, readStatus } from './status.ts';

const TICK_MS = 1_000;
/** Between the end of a pod and the last word of its processes. */
const LAST_WORDS_MS = 3_000;
/** Between the end of a process that its pod took along, and the end of the pod. */
const STOP_PATIENCE_MS = 4_000;
/** Before the cluster is asked again that did not answer. */
const AFTER_SILENCE_MS = 2_000;
const BETWEEN_LOOKS_MS = 10_000;
const SIGKILL_CODE = 137;
const END_OF_TRANSMISSION = '\x04';

type Over = Ended | { readonly kind: 'closed'; readonly text: string };

/** A process that was asked for over a WebSocket, which is paused and listened to from now on. */
export function createExecChannel(p: {
  readonly socket: WebSocket;
  readonly pod: ExecPod;
  readonly stdin: boolean;
  readonly terminal: boolean;
  /** Called when it has begun, or has ended without. May be called again. */
  readonly onBegun: () => void;
}): Channel {
  const { socket, pod } = p;
  const closed = new AbortController();
  const { signal } = closed;
  const exit = Promise.withResolvers<Exit>();
  exit.promise.catch(() => {});
  const pulse = createPulse(socket);

  let over: Over | null = null;
  let wake = () => {};
  const rest = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const end = (how: Over) => {
    p.onBegun();
    over ??= how;
    wake();
  };

  // One connection for both: what is too much for the reader of one waits there, and then in the pod.
  const flow = () => {
    const isHeld = outlets.isFull && over === null;
    if (isHeld && !socket.isPaused) socket.pause();
    if (!isHeld && socket.isPaused) socket.resume();
  };
  const outlets = createOutlets({ terminal: p.terminal, onRoom: flow });

  socket.on('message', (data: Buffer) => {
    pulse.heard();
    const bytes = data.subarray(1);
    // The first message is empty: the connection is there.
    if (over !== null || bytes.length === 0) return;
    p.onBegun();
    if (data[0] === CHANNEL.stdout) outlets.give(outlets.stdout, bytes);
    else if (data[0] === CHANNEL.stderr) outlets.give(outlets.stderr, bytes);
    else if (data[0] === CHANNEL.status) end(readStatus(bytes));
    flow();
  });
  socket.once('close', (code: number, reason: Buffer) => {
    end({ kind: 'closed', text: tidy(reason.toString('utf8')) || `with code ${code}` });
  });
  /** Heard by the next ping only when the other end has read it. */
  const send = (frame: Buffer): Promise<Error | undefined> => {
    pulse.wrote();
    return new Promise((resolve) => socket.send(frame, resolve));
  };
  const stdin = p.stdin ? inputOf(send, p.terminal) : null;

  /** @throws HangarError connection_lost, sandbox_gone */
  async function untilOver(): Promise<Over> {
    const gone: { why: HangarError | null; at: number } = { why: null, at: 0 };
    pod.ended({ signal }).then(
      (why) => {
        Object.assign(gone, { why, at: performance.now() });
        wake();
      },
      () => {},
    );
    let isUnheard = false;
    for (;;) {
      if (over === null) await rest(TICK_MS);
      signal.throwIfAborted();
      if (over !== null) return over;
      // Its signs of life wait behind what is not read; a peer that is dead is noticed by the system then.
      if (socket.isPaused) {
        pulse.heard();
        continue;
      }
      // Of a pod that was removed, a connection may hang open for ever.
      if (gone.why !== null && Math.min(pulse.silentMs(), performance.now() - gone.at) > LAST_WORDS_MS) throw gone.why;
      if (!pulse.isDoubtful()) {
        isUnheard = false;
        continue;
      }
      // The API server reads nothing, and no ping either, while a process leaves its input unread.
      const why = await pod.whyShut({ signal }).catch((error: unknown) => (signal.aborted ? error : 'unheard'));
      signal.throwIfAborted();
      if (over !== null) return over;
      if (why instanceof HangarError && why.code === 'sandbox_gone') throw why;
      // It was heard of while the pod was asked after.
      if (socket.isPaused || !pulse.isDoubtful()) {
        isUnheard = false;
        continue;
      }
      if (why === 'unheard' ? isUnheard : !pulse.isInputUnread()) throw lost('it says nothing any more');
      isUnheard = why === 'unheard';
      await rest(isUnheard ? AFTER_SILENCE_MS : BETWEEN_LOOKS_MS);
    }
  }

  async function follow(): Promise<void> {
    const how = await untilOver();
    if (how.kind === 'closed') throw await whyLost(`it was closed ${how.text}`);
    if (how.kind === 'broken') throw await whyLost(tidy(how.text) || 'it does not say why');
    if (how.kind === 'refused')
      outlets.give(p.terminal ? outlets.stdout : outlets.stderr, Buffer.from(`${how.text}\n`));
    // It comes behind all that was printed.
    outlets.finish();
    const withPod = how.code === SIGKILL_CODE ? await endedWithPod() : null;
    if (withPod) exit.reject(withPod);
    else exit.resolve({ code: how.code, signal: null });
  }

  /** A pod that ends kills what was opened in it first, so for a moment it is still said to run. */
  async function endedWithPod(): Promise<HangarError | null> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(STOP_PATIENCE_MS)]);
    return pod.ended({ signal: patience }).catch(() => {
      signal.throwIfAborted();
      return null;
    });
  }

  /** With its pod, where that is proved. */
  async function whyLost(how: string): Promise<HangarError> {
    const shut = await pod.whyShut({ signal }).catch(() => null);
    signal.throwIfAborted();
    return shut ?? lost(how);
  }

  const lost = (how: string) =>
    new HangarError('connection_lost', { message: `The connection to a process in ${pod.name} broke: ${how}.` });

  follow()
    .catch((error: Error) => {
      exit.reject(error);
      // With the pod all its streams ended: what they brought can still be read.
      outlets.finish(error instanceof HangarError && error.code === 'sandbox_gone' ? undefined : error);
    })
    .finally(() => {
      stdin?.destroy();
      closed.abort(new HangarError('connection_lost', { message: 'The process has ended.' }));
      socket.resume();
      socket.close();
    });
  flow();

  return {
    stdin,
    stdout: outlets.stdout,
    stderr: outlets.stderr,
    exit: exit.promise,
    // Nothing when the connection has ended: of that `exit` tells.
    ...(p.terminal ? { resize: async (size: TerminalSize) => void (await send(resizeFrame(size))) } : {}),
    close() {
      closed.abort(new HangarError('connection_lost', { message: 'The process is no longer listened to.' }));
      socket.terminate();
      wake();
    },
  };
}

/** Its end is the end of file for the process; in a terminal that is a character. */
function inputOf(send: (frame: Buffer) => Promise<Error | undefined>, terminal: boolean): Writable {
  let isWithinLine = false;
  async function sendAll(frames: Iterable<Buffer>): Promise<Error | undefined> {
    for (const frame of frames) {
      const error = await send(frame);
      if (error) return error;
    }
    return undefined;
  }
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (chunk.length > 0) isWithinLine = chunk.at(-1) !== 0x0a;
      void sendAll(inputFrames(chunk)).then(done);
    },
    final(done) {
      // To close this half would be to close the terminal. Within a line the first only sends what is there of it.
      const end = Buffer.from(END_OF_TRANSMISSION.repeat(isWithinLine ? 2 : 1));
      void sendAll(terminal ? inputFrames(end) : [END_OF_INPUT]).then(done);
    },
  });
  // What is written to a process that has ended is lost, as in a pipe; whoever writes learns it from the callback.
  stdin.on('error', () => {});
  return stdin;
}
