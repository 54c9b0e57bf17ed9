import { randomBytes, randomUUID } from 'node:crypto';
import { HangarError } from '@hangar/contract';
import type { Channel, OpenOptions } from '../../port/machine.ts';
import { beating, createEnding } from './channel.ts';
import { isStatus, reading } from './errors.ts';
import { createMarked, createRelabel, type StreamName } from './log-reader.ts';
import type { MachineParts } from './parts.ts';
import { sessionLine } from './shell-line.ts';

/** An ended command whose follower is still silent after so many looks lost its end on the way. */
const LOOKS_AFTER_END = 2;

/**
 * One session for each process: commands of one session wait for each other. Its log is followed from its beginning.
 * What runs is ended with the session: TERM to its whole tree, after five seconds KILL.
 */
export async function openSession(parts: MachineParts, argv: readonly string[], o: OpenOptions): Promise<Channel> {
  const { sandbox, log, heartbeatMs } = parts;
  const { process: processes } = sandbox;
  const id = `hangar-${randomUUID()}`;
  const token = randomBytes(12).toString('hex');
  // Quoted first: what cannot be quoted leaves no session behind.
  const command = sessionLine(argv, token);

  // A call that was given up goes on: what it makes is deleted after it.
  let asked: Promise<unknown> = Promise.resolve();
  const remove = () => {
    const settled = asked.catch(() => {});
    parts.background(
      settled
        .then(() => processes.deleteSession(id))
        .catch((error: unknown) => {
          if (!isStatus(error, 404))
            log.debug({ err: error, session: id }, 'A session of Daytona could not be deleted');
        }),
    );
  };

  let cmdId: string;
  try {
    await parts.ask({ signal: o.signal, doing: 'open a session' }, () => {
      const made = processes.createSession(id);
      asked = made;
      return made;
    });
    const started = await parts.ask({ signal: o.signal, doing: 'start a command' }, () => {
      const run = processes.executeSessionCommand(id, { command, runAsync: true, suppressInputEcho: true });
      asked = run;
      return run;
    });
    cmdId = started.cmdId;
    if (typeof cmdId !== 'string') {
      throw new HangarError('driver_unavailable', {
        message: 'What answers for the sandbox does not speak its protocol.',
      });
    }
  } catch (error) {
    remove();
    throw error;
  }

  const ending = createEnding(() => {
    stopBeating();
    remove();
  });
  let looks = 0;
  const stopBeating = beating({
    everyMs: heartbeatMs,
    lost: broken,
    async look() {
      const { exitCode } = await processes.getSessionCommand(id, cmdId);
      looks = typeof exitCode === 'number' ? looks + 1 : 0;
      return looks < LOOKS_AFTER_END ? null : 'The command has ended, but the end of its output did not come.';
    },
  });

  const marks = { stdout: createMarked(token), stderr: createMarked(token) };
  const relabel = createRelabel();
  const hear = (kind: StreamName) => (text: string) => {
    for (const [stream, part] of relabel(kind, text)) ending.print(stream, marks[stream].push(part));
    const { code } = marks.stdout;
    if (code !== null && marks.stderr.code !== null) ending.exited({ code, signal: null });
  };
  processes.getSessionCommandLogs(id, cmdId, hear('stdout'), hear('stderr')).then(
    // The follower ends alike when the connection was cut: without the marks it is no end of the command.
    () => broken('The connection to the output of the command was cut.'),
    (error: unknown) => broken(`The output of the command could not be followed: ${reading(error).text}`),
  );

  function broken(message: string): void {
    if (ending.isOver) return;
    const error = new HangarError('connection_lost', { message: parts.told(message) });
    parts.background(parts.proveGone(error).then(ending.lost));
  }

  return {
    ...{ stdin: null, stdout: ending.stdout, stderr: ending.stderr, exit: ending.exit },
    close: () => ending.lost(new HangarError('connection_lost', { message: 'The channel was closed here.' })),
  };
}
