import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure, Sandbox } from '@hangar/contract';
import { HangarError, isErrorCode } from '@hangar/contract/errors';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import type { Cli } from '../cli.ts';
import type { Api } from '../server/api.ts';
import { AWAY_MS, throughBreaks } from '../server/through-breaks.ts';
import { stateAndReason } from '../terminal/tones.ts';

/** Between two looks; the first ones are sooner, for machines that are there at once. */
const PAUSES_MS = [150, 300, 600, 1000];

/**
 * Waits until a sandbox has come to where it was sent, and says on stderr what it does meanwhile.
 * @param o.doing what it does, as a person is told: "s_… goes on opening"
 * @throws HangarError interrupted: Ctrl-C ends the waiting, nothing else; server_unreachable after 15 minutes without the server
 */
export async function waitUntil(
  { terminal, signal }: Cli,
  api: Api,
  sandbox: Sandbox,
  o: { readonly is: (seen: Sandbox) => boolean; readonly doing: string; readonly wayOut: string },
): Promise<Sandbox> {
  const { id } = sandbox;
  const progress = terminal.progress(`${id} goes on ${o.doing}`);
  let seen = sandbox;
  let said = '';
  try {
    for (let look = 0; ; look++) {
      const now = stateAndReason(sandboxWords(seen), seen.reason, terminal.errColor);
      if (now !== said) terminal.note(now);
      said = now;
      if (o.is(seen)) return seen;
      await sleep(PAUSES_MS[look] ?? PAUSES_MS.at(-1), undefined, { signal });
      seen = await throughBreaks({ terminal, signal, patienceMs: AWAY_MS }, () => api.client.sandboxes.get({ id }));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HangarError('interrupted', { message: `Stopped waiting; ${id} goes on ${o.doing}.`, wayOut: o.wayOut });
  } finally {
    progress.done();
  }
}

/** What a sandbox or an execution failed for, as an error: its code, its words, and its way out with the id in it. */
export const failed = ({ code, message, wayOut }: Failure, id: string): HangarError =>
  new HangarError(isErrorCode(code) ? code : 'internal', {
    message: asSentence(message),
    wayOut: wayOutFor(wayOut, id),
  });

/** Reasons end with a full stop or without one. */
export const asSentence = (words: string): string => (/[.!?]$/.test(words) ? words : `${words}.`);

/** @throws HangarError with what it failed for, when it is closed and was not to be */
export function refuseClosed(sandbox: Sandbox): void {
  const { id, state, failure, reason } = sandbox;
  if (state !== 'closed' && state !== 'failed' && state !== 'lost') return;
  throw failure === null
    ? new HangarError('sandbox_closed', { message: `Sandbox ${id} is closed: ${asSentence(reason)}` })
    : failed(failure, id);
}
