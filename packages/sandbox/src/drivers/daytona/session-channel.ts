import { randomBytes, randomUUID } from 'node:crypto';
import { HangarError } from '@hangar/contract';
import type { Channel, OpenOptions } from '../../port/machine.ts';
import { createEnding } from './channel.ts';
import { within } from './client.ts';
import { isStatus, reading } from './errors.ts';
import type { MachineParts } from './machine.ts';
import { createMarked, sessionLine } from './shell-line.ts';

/** Two in a row without an answer: the way is broken, though no connection says so. */
const HEARTBEATS_MISSED = 2;
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

  const remove = () => {
    parts.background(
      processes.deleteSession(id).catch((error: unknown) => {
        if (!isStatus(error, 404)) log.debug({ err: error, session: id }, 'A session of Daytona could not be deleted');
      }),
    );
  };

  let cmdId: string;
  try {
    await parts.ask({ signal: o.signal, doing: 'open a session' }, () => processes.createSession(id));
    const started = await parts.ask({ signal: o.signal, doing: 'start a command' }, () =>
      processes.executeSessionCommand(id, { command, runAsync: true, suppressInputEcho: true }),
    );
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

  const heart = setInterval(() => parts.background(beat()), heartbeatMs);
  const ending = createEnding(() => {
    clearInterval(heart);
    remove();
  });

  const marks = { stdout: createMarked(token), stderr: createMarked(token) };
  const hear = (stream: 'stdout' | 'stderr') => (text: string) => {
    ending.print(stream, marks[stream].push(text));
    const { code } = marks.stdout;
    if (code !== null && marks.stderr.code !== null) ending.exited({ code, signal: null });
  };
  processes.getSessionCommandLogs(id, cmdId, hear('stdout'), hear('stderr')).then(
    // The follower ends alike when the connection was cut: without the marks it is no end of the command.
    () => broken('The connection to the output of the command was cut.'),
    (error: unknown) => broken(`The output of the command could not be followed: ${reading(error).text}`),
  );

  async function broken(message: string): Promise<void> {
    if (ending.isOver) return;
    ending.lost(await parts.proveGone(new HangarError('connection_lost', { message: parts.told(message) })));
  }

  let missed = 0;
  let looks = 0;
  async function beat(): Promise<void> {
    try {
      const { exitCode } = await within(processes.getSessionCommand(id, cmdId), null, heartbeatMs);
      missed = 0;
      looks = typeof exitCode === 'number' ? looks + 1 : 0;
    } catch (error) {
      // To be asked less often is an answer.
      missed = isStatus(error, 429) ? 0 : missed + 1;
      if (isStatus(error, 404)) await broken('The session of the command is gone.');
    }
    if (missed >= HEARTBEATS_MISSED) await broken('The sandbox does not answer.');
    if (looks >= LOOKS_AFTER_END) await broken('The command has ended, but the end of its output did not come.');
  }

  return {
    ...{ stdin: null, stdout: ending.stdout, stderr: ending.stderr, exit: ending.exit },
    close: () => ending.lost(new HangarError('connection_lost', { message: 'The channel was closed here.' })),
  };
}
