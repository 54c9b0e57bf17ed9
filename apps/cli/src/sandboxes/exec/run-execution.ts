import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Execution } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { isEnded } from '@hangar/contract/state-words';
import type { Cli } from '../../cli.ts';
import { aboutJob } from '../../jobs/job-words.ts';
import type { Api } from '../../server/api.ts';
import type { Client } from '../../server/client.ts';
import { isPassing, whyLost } from '../../server/http.ts';
import { AWAY_MS, sayBreaks, throughBreaks } from '../../server/through-breaks.ts';
import { asSentence } from '../wait.ts';
import { type Exit, exitOf } from './exit.ts';
import { followExecution } from './follow-execution.ts';
import { sendInput } from './send-input.ts';

export type Order = Parameters<Client['sandboxes']['execute']>[0];

/** A server that is just started again is waited for; one that is not there is said soon. */
const BEGIN_MS = 15_000;
const LOOKS = 240;
const LOOK_MS = 250;

/**
 * Begins an execution. Sent twice, it runs once.
 * @throws HangarError what the server refuses; interrupted
 */
export async function beginExecution({ terminal, signal }: Cli, api: Api, order: Order): Promise<Execution> {
  const keyed = { ...order, idempotencyKey: randomUUID() };
  try {
    return await throughBreaks({ terminal, signal, patienceMs: BEGIN_MS }, () => api.client.sandboxes.execute(keyed));
  } catch (error) {
    if (!signal.aborted) throw aboutJob(error, order.sandbox);
    throw new HangarError('interrupted', {
      message: 'Stopped before the server had answered.',
      wayOut: `See whether it runs: hangar sandbox show ${order.sandbox}`,
    });
  }
}

export interface RunOptions {
  readonly server: string | undefined;
  /** Begins it, or finds one that was begun. */
  readonly begin: (api: Api) => Promise<Execution>;
  /** Standard input is sent to it. */
  readonly input: boolean;
  /** Its standard output goes to stderr, because stdout carries something else. */
  readonly aside: boolean;
  /** How it is looked at as long as its id is not known. */
  readonly seeIt: string;
}

/**
 * Runs a command in a sandbox as ssh does: its bytes come out as they are, standard input goes in, and it ends as the command ends.
 * Ctrl-C ends the command with all its processes and waits for that; the second one ends the waiting alone.
 * @throws HangarError interrupted, what the command did not end for, output_truncated
 */
export async function runExecution(cli: Cli, o: RunOptions): Promise<{ execution: Execution; exit: Exit }> {
  const { terminal, signal } = cli;
  let { seeIt } = o;
  // What is still to be said to the server after Ctrl-C does not end with it.
  const over = new AbortController();
  const waiting = { terminal, signal: over.signal, patienceMs: AWAY_MS };
  const dontSay = cli.beforeExit(() => terminal.warn(`It may still run. See: ${seeIt}`));
  let onInterrupt: (() => void) | undefined;
  let refused: unknown = null;
  try {
    const api = await cli.api(o.server, over.signal);
    const { id, sandbox } = await o.begin(api);
    seeIt = `hangar sandbox attach ${id}`;
    const cancel = () =>
      throughBreaks(waiting, () => api.client.sandboxes.cancel({ id })).catch((error: unknown) => over.abort(error));
    onInterrupt = () => {
      if (!terminal.outIsGone) terminal.note('Ending it with all its processes; Ctrl-C again stops waiting for that.');
      void cancel();
    };
    signal.addEventListener('abort', onInterrupt, { once: true });
    if (signal.aborted) onInterrupt();
    if (o.input)
      void sendInput(api, id, cli.stdin, over.signal).catch((error: unknown) => {
        refused = error;
        void cancel();
      });
    const away = (error: unknown): never => {
      throw isPassing(error) ? awayTooLong(error, seeIt) : error;
    };
    const types = o.input && cli.stdin.isTTY === true;
    const progress = terminal.outIsTerminal && !types ? terminal.progress(`Running in ${sandbox}`) : null;
    const { taken } = await followExecution(api, id, {
      ...{ signal: over.signal, ...sayBreaks(terminal) },
      async print(printed) {
        progress?.done();
        if (printed.stream === 'system') terminal.note(`» ${printed.text}`);
        else if (printed.stream === 'stderr' || o.aside) await terminal.writeErr(printed.bytes);
        else if (!terminal.outIsGone) await terminal.write(printed.bytes);
      },
    })
      .finally(() => progress?.done())
      .catch(away);
    const execution = await ended(waiting, api, id).catch(away);
    if (terminal.outIsGone) return { execution, exit: { code: 0, says: null } };
    if (signal.aborted)
      throw new HangarError('interrupted', {
        message: asSentence(execution.reason),
        wayOut: `See: hangar sandbox show ${sandbox}`,
      });
    if (refused !== null && execution.state === 'cancelled') throw refused;
    return { execution, exit: exitOf(execution, taken) };
  } finally {
    if (onInterrupt !== undefined) signal.removeEventListener('abort', onInterrupt);
    dontSay();
    over.abort();
  }
}

/** What it prints can be complete a moment before it has its final state. */
async function ended(waiting: Parameters<typeof throughBreaks>[0], api: Api, id: string): Promise<Execution> {
  for (let look = 0; look < LOOKS; look++) {
    const execution = await throughBreaks(waiting, () => api.client.sandboxes.execution({ id }));
    if (isEnded(execution.state)) return execution;
    await sleep(LOOK_MS, undefined, { signal: waiting.signal });
  }
  throw new HangarError('server_unreachable', { details: { reason: `the server does not say how ${id} ended` } });
}

const awayTooLong = (error: unknown, seeIt: string): HangarError =>
  new HangarError('server_unreachable', {
    message: 'The way to the server broke, and has not come back.',
    wayOut: `It may still run. Go on later: ${seeIt}`,
    details: { reason: whyLost(error) },
    cause: error,
  });
