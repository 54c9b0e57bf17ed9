import { randomBytes, randomUUID } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { HangarError } from '@hangar/contract';
import type { Channel, OpenOptions, TerminalSize } from '../../port/machine.ts';
import { beating, createEnding } from './channel.ts';
import { within } from './client.ts';
import { isStatus, reading } from './errors.ts';
import type { MachineParts } from './parts.ts';
import { quoted } from './shell-line.ts';

/** A login shell may read much before it reads us. */
const START_MS = 30_000;
/** Daytona takes no wider terminal. */
const WIDEST = 999;
const END_OF_FILE = Buffer.from([4]);

/**
 * Daytona opens its own login shell in a terminal and takes no program. So a script is brought that becomes the program, and the shell is
 * told to become the script. What is shown before it begins (prompt, the typed line) is not handed on; the script says how it ended,
 * because a connection that ends without a code is an exit with 0 to the SDK.
 */
export async function openTerminal(
  parts: MachineParts,
  argv: readonly string[],
  o: OpenOptions & { terminal: TerminalSize },
): Promise<Channel> {
  const { sandbox, log } = parts;
  const id = `hangar-${randomUUID()}`;
  const token = randomBytes(12).toString('hex');
  const file = `/tmp/.${id}`;
  // The traps: what a terminal sends to all of its group must not end the script before the program.
  const script = `rm -f '${file}'\ntrap : INT QUIT\nprintf '%s' '${token}:begin;'\n${quoted(argv)}\nprintf '%s' "${token}:$?;"\n`;

  await parts.ask({ signal: o.signal, doing: 'bring a script' }, () =>
    sandbox.fs.uploadFileStream(Readable.from([Buffer.from(script)]), file, { signal: o.signal }),
  );
  const discard = () =>
    parts.background(
      sandbox.fs.deleteFile(file).catch((error: unknown) => {
        if (!isStatus(error, 404)) log.debug({ err: error, file }, 'A script could not be removed from a sandbox');
      }),
    );

  let isOpen = false;
  const began = Promise.withResolvers<void>();
  const reader = createTerminalReader(token, began.resolve);
  const pending: Uint8Array[] = [];
  let hear = (bytes: Uint8Array): void => {
    pending.push(bytes);
  };
  let asked: Promise<unknown> = Promise.resolve();
  const pty = await parts
    .ask({ signal: o.signal, doing: 'open a terminal' }, () => {
      const made = sandbox.process.createPty({
        ...{ id, cols: atMost(o.terminal.columns), rows: atMost(o.terminal.rows) },
        envs: { TERM: 'xterm-256color' },
        onData: (bytes) => hear(bytes),
      });
      asked = made;
      return made;
    })
    .catch((error: unknown) => {
      discard();
      // A call that was given up goes on: what it makes is ended after it.
      parts.background(asked.then(() => sandbox.process.killPtySession(id)));
      throw error;
    });

  const ending = createEnding(() => {
    stopBeating();
    parts.background(
      pty
        .kill()
        .catch((error: unknown) => {
          if (!isStatus(error, 404)) log.debug({ err: error, pty: id }, 'A terminal of Daytona could not be ended');
        })
        .then(() => pty.disconnect()),
    );
  });
  hear = (bytes) => {
    const { text, code } = reader(bytes);
    ending.print('stdout', text);
    if (code !== null) ending.exited({ code, signal: null });
  };
  // Nobody may wait for it any more.
  began.promise.catch(() => {});
  function broken(message: string): void {
    if (ending.isOver) return;
    const lost = parts.proveGone(new HangarError('connection_lost', { message: parts.told(message) }));
    parts.background(
      lost.then((error) => {
        began.reject(error);
        ending.lost(error);
      }),
    );
  }
  pty.wait().then(
    () => broken('The terminal was closed before its program ended.'),
    (error: unknown) => broken(`The connection to the terminal broke: ${reading(error).text}`),
  );
  const stopBeating = beating({
    everyMs: parts.heartbeatMs,
    lost: broken,
    look: () => sandbox.process.getPtySessionInfo(id).then(() => null),
  });
  for (const bytes of pending) hear(bytes);

  try {
    // The space in front keeps it out of histories.
    await parts.ask({ signal: o.signal, doing: 'begin a terminal' }, () => pty.sendInput(` exec /bin/sh '${file}'\r`));
    await within(began.promise, o.signal, START_MS);
    isOpen = true;
  } finally {
    if (!isOpen) {
      discard();
      ending.lost(new HangarError('connection_lost', { message: 'The terminal did not begin.' }));
    }
  }

  const send = (bytes: Uint8Array, done: (error?: Error | null) => void) => {
    if (ending.isOver) return done();
    pty.sendInput(bytes).then(() => done(), done);
  };
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => send(chunk, done),
    // In a terminal an end of file is a key.
    final: (done) => send(END_OF_FILE, done),
  });
  stdin.on('error', (error) => log.debug({ err: error, pty: id }, 'A terminal took no more'));
  return {
    ...{ stdin: o.stdin ? stdin : null, stdout: ending.stdout, stderr: ending.stderr, exit: ending.exit },
    async resize({ columns, rows }) {
      if (ending.isOver) return;
      const signal = AbortSignal.timeout(START_MS);
      await parts.ask({ signal, doing: 'resize a terminal' }, () => pty.resize(atMost(columns), atMost(rows)));
    },
    close: () => ending.lost(new HangarError('connection_lost', { message: 'The channel was closed here.' })),
  };
}

const atMost = (cells: number): number => Math.min(Math.max(cells, 1), WIDEST);

/** Bytes as they are: latin1 keeps each of them as one letter. */
function createTerminalReader(
  token: string,
  onBegin: () => void,
): (bytes: Uint8Array) => { text: Uint8Array; code: number | null } {
  const begin = `${token}:begin;`;
  const end = `${token}:`;
  let held = '';
  let hasBegun = false;
  const out = (text: string, code: number | null = null) => ({ text: Buffer.from(text, 'latin1'), code });
  return (bytes) => {
    held += Buffer.from(bytes).toString('latin1');
    if (!hasBegun) {
      const at = held.indexOf(begin);
      if (at === -1) {
        held = held.slice(-begin.length);
        return out('');
      }
      hasBegun = true;
      held = held.slice(at + begin.length);
      onBegin();
    }
    const at = held.indexOf(end);
    const code = at === -1 ? null : /^(\d{1,3});/.exec(held.slice(at + end.length));
    if (at !== -1 && code === null) {
      const text = held.slice(0, at);
      held = held.slice(at);
      return out(text);
    }
    if (at !== -1) {
      const text = held.slice(0, at);
      held = '';
      return out(text, Number(code?.[1]));
    }
    let keep = Math.min(held.length, end.length - 1);
    while (keep > 0 && !end.startsWith(held.slice(held.length - keep))) keep -= 1;
    const text = held.slice(0, held.length - keep);
    held = held.slice(held.length - keep);
    return out(text);
  };
}
