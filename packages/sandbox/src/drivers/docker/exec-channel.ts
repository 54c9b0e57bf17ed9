import type { Socket } from 'node:net';
import { type Readable, Writable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Channel, Exit, TerminalSize } from '../../port/machine.ts';
import { createExecOutput } from './exec-output.ts';
import { endedWithMachine, lookAtExec, type MachineEngine, type Seen, whyShut } from './exec-state.ts';

/** A connection whose other end is gone is ended by the system after twice this. */
const KEEPALIVE_MS = 10_000;
/** How often it is thought about whether to look at a process. */
const TICK_MS = 250;
const FIRST_LOOK_MS = 500;
const LONGEST_BETWEEN_LOOKS_MS = 10_000;
/** The Engine keeps for two seconds after the end what a slow reader has not taken. */
const BETWEEN_LOOKS_WHILE_HELD_MS = 500;
/** Before the Engine is asked again that did not answer. */
const AFTER_SILENCE_MS = 2_000;
/** The Engine ends a connection when it has told that the process ended: after that it is another who cut it. */
const CUT_AFTER_MS = 5_000;
/** The Engine ends the connection two seconds after the process, whoever else still holds its output. */
const OVER_AFTER_MS = 15_000;
const END_OF_TRANSMISSION = '\x04';
const SIGKILL_CODE = 137;
/** How runc and Docker say that it is the program, its account or its folder; any other word may come of a container that stops. */
const OF_THE_PROGRAM = /exec:? "|exec \/|executable file|exec format error|unable to find (user|group)|chdir to cwd/i;

/** A process that was started over a connection: what comes back is `output`, what is written to `socket` is its input. */
export function createExecChannel(p: {
  readonly engine: MachineEngine;
  readonly container: string;
  readonly id: string;
  readonly output: Readable;
  readonly socket: Socket;
  readonly stdin: boolean;
  readonly terminal: boolean;
}): Channel {
  const { engine, container, id, socket } = p;
  socket.setKeepAlive(true, KEEPALIVE_MS);
  socket.on('error', () => {});
  const closed = new AbortController();
  const { signal } = closed;
  const look = () => lookAtExec(engine, id, signal);
  const exit = Promise.withResolvers<Exit>();
  exit.promise.catch(() => {});

  const output = createExecOutput(p.output, {
    terminal: p.terminal,
    isLocal: engine.isLocal,
    // It runs before the first byte of its own, so a process that prints is known to have begun.
    isRefusal: () =>
      look().then(
        (seen) => seen.kind === 'not begun' || (seen.kind === 'ended' && !seen.hasRun),
        () => false,
      ),
  });
  const stdin = p.stdin ? inputOf(socket, p.terminal) : null;

  let over: { readonly how: 'whole' | 'cut'; readonly at: number } | null = null;
  let wake = () => {};
  void output.over.then((how) => {
    over = { how, at: performance.now() };
    wake();
  });
  const rest = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** @throws HangarError connection_lost, sandbox_gone, sandbox_paused */
  async function untilEnded(): Promise<Seen & { kind: 'ended' }> {
    let isSilent = false;
    let pause = FIRST_LOOK_MS;
    let looked = performance.now();
    let due = looked + pause;
    let afterOver = 10;
    for (;;) {
      if (over === null) await rest(TICK_MS);
      signal.throwIfAborted();
      const now = performance.now();
      // What a slow reader leaves with the Engine is lost soon after the end: so the end has to be known.
      const isHeld = output.heldSince !== null && now - output.heldSince >= TICK_MS && !isSilent;
      if (over === null && now < (isHeld ? Math.min(due, looked + BETWEEN_LOOKS_WHILE_HELD_MS) : due)) continue;
      const seen = await look();
      looked = performance.now();
      if (seen.kind === 'ended') return seen;
      if (seen.kind === 'unknown') throw await whyLost('no longer knows it');
      if (seen.kind === 'away') {
        if (isSilent) throw lost('does not answer');
        isSilent = true;
        due = performance.now() + AFTER_SILENCE_MS;
        if (over !== null) await rest(AFTER_SILENCE_MS);
        continue;
      }
      isSilent = false;
      pause = Math.min(pause * 2, LONGEST_BETWEEN_LOOKS_MS);
      due = performance.now() + pause;
      if (over === null) continue;
      // Refused before it was even tried: the container was paused or stopped in the meantime.
      if (seen.kind === 'not begun' && output.refusal !== null)
        throw (await whyShut(engine, container, signal)) ?? lost(`says: ${output.refusal}`);
      if (performance.now() - over.at > CUT_AFTER_MS) throw await whyLost('ended it while the process goes on');
      await rest(afterOver);
      afterOver = Math.min(afterOver * 2, 500);
    }
  }

  /** Whether all that the process printed has come. */
  async function untilOver(): Promise<boolean> {
    let idle = performance.now();
    while (over === null) {
      await rest(TICK_MS);
      signal.throwIfAborted();
      if (output.heldSince !== null) idle = performance.now();
      if (performance.now() - idle > OVER_AFTER_MS) return false;
    }
    return over.how === 'whole';
  }

  async function follow(): Promise<void> {
    const seen = await untilEnded();
    stdin?.destroy();
    output.drain();
    if (seen.hasRun) {
      const isKilled = seen.code === SIGKILL_CODE || seen.code === null;
      const withMachine = isKilled ? await endedWithMachine(engine, container, signal) : null;
      if (withMachine) exit.reject(withMachine);
      else exit.resolve({ code: seen.code, signal: null });
    }
    const isWhole = await untilOver();
    if (!seen.hasRun) {
      const refusal = output.refusal ?? '';
      const shut = await whyShut(engine, container, signal).catch(() => null);
      const why = shut ?? (OF_THE_PROGRAM.test(refusal) ? null : await endedWithMachine(engine, container, signal));
      if (why) throw why;
      exit.resolve({ code: codeOfRefusal(refusal), signal: null });
    }
    output.finish(isWhole ? undefined : lost('broke before all was told that the process printed'));
  }

  /** With its machine, where that is proved. */
  async function whyLost(how: string): Promise<HangarError> {
    const shut = await whyShut(engine, container, signal).catch(() => null);
    signal.throwIfAborted();
    return shut?.code === 'sandbox_gone' ? shut : lost(how);
  }

  const lost = (how: string) =>
    new HangarError('connection_lost', {
      message: `The connection to a process in ${container} broke: Docker ${how}.`,
    });

  follow()
    .catch(async (error: Error) => {
      exit.reject(error);
      stdin?.destroy();
      // With the machine all its streams ended: what they brought can still be read.
      const isTold = error instanceof HangarError && error.code === 'sandbox_gone' && over?.how === 'whole';
      output.finish(isTold ? undefined : error);
    })
    .finally(() => socket.destroy());

  return {
    stdin,
    stdout: output.stdout,
    stderr: output.stderr,
    exit: exit.promise,
    ...(p.terminal ? { resize: (size: TerminalSize) => resizeExec(engine, id, size, signal) } : {}),
    close() {
      closed.abort(new HangarError('connection_lost', { message: 'The process is no longer listened to.' }));
      socket.destroy();
      wake();
    },
  };
}

/** Nothing when the process has ended: then it has no terminal. */
export async function resizeExec(
  engine: MachineEngine,
  id: string,
  { columns, rows }: TerminalSize,
  signal: AbortSignal,
): Promise<void> {
  try {
    await engine.json('POST', `/exec/${id}/resize`, { query: { h: String(rows), w: String(columns) }, signal });
  } catch (error) {
    const seen = await lookAtExec(engine, id, signal);
    if (seen.kind !== 'ended' && seen.kind !== 'unknown') throw error;
  }
}

/** Its end is the end of file for the process; in a terminal that is a character. */
function inputOf(socket: Socket, terminal: boolean): Writable {
  let isWithinLine = false;
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      isWithinLine = chunk.at(-1) !== 0x0a;
      socket.write(chunk, done);
    },
    final(done) {
      // To close this half would be to close the terminal. Within a line the first only sends what is there of it.
      if (terminal) socket.write(END_OF_TRANSMISSION.repeat(isWithinLine ? 2 : 1), done);
      else socket.end(done);
    },
  });
  // What is written to a process that has ended is lost, as in a pipe; whoever writes learns it from the callback.
  stdin.on('error', () => {});
  return stdin;
}

/** As a shell says it: 127 when there is no such program, 126 when it cannot be run. The Engine tells them apart by text only. */
const codeOfRefusal = (text: string): number =>
  /executable file not found|no such file or directory/i.test(text) && !/chdir to cwd/i.test(text) ? 127 : 126;
