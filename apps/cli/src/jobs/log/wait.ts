import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import type { Api } from '../../server/api.ts';
import { AWAY_MS, throughBreaks } from '../../server/through-breaks.ts';
import { stateText } from '../../terminal/tones.ts';
import { followLog, type LogWish } from './log-reader.ts';
import { type LogLook, logPrinter } from './show-log.ts';

/** The job failed; nothing is wrong with the command. */
export const JOB_FAILED_EXIT_CODE = 5;

/**
 * Prints the log of a job until it ends and answers the job as it then is.
 * @throws HangarError interrupted: Ctrl-C ends the waiting, not the job
 */
export async function follow(cli: Cli, api: Api, id: string, wish: LogWish, look: LogLook): Promise<Job> {
  const { terminal, signal } = cli;
  const print = logPrinter(terminal, look);
  const progress = terminal.progress(`Waiting for the first line of ${id}`);
  try {
    const lines = followLog(api, id, wish, {
      signal,
      onConnection: (connected, reason) => {
        progress.done();
        terminal.note(connected ? 'Connected again.' : `Connection lost (${reason}); trying again.`);
      },
    });
    for (;;) {
      const next = await lines.next();
      if (next.done) break;
      progress.done();
      await print(next.value);
    }
    progress.done();
    return await ended(cli, api, id);
  } catch (error) {
    progress.done();
    throw signal.aborted ? goesOn(id) : error;
  }
}

/** The log can be complete a moment before the job has its final state. */
async function ended(cli: Cli, api: Api, id: string): Promise<Job> {
  const { terminal, signal } = cli;
  for (let attempt = 0; ; attempt++) {
    const job = await throughBreaks({ terminal, signal, patienceMs: AWAY_MS }, () => api.client.jobs.get({ id }));
    if (job.finishedAt !== null || attempt === 40) return job;
    await new Promise((resolve) => setTimeout(resolve, 250));
    cli.signal.throwIfAborted();
  }
}

export const goesOn = (id: string): HangarError =>
  new HangarError('interrupted', { wayOut: `Follow it with: hangar logs ${id} --follow` });

/** One line about how a job ended, for people. */
export function sayEnding({ terminal }: Cli, job: Job): void {
  terminal.note(
    `${stateText(JOB_WORDS[job.state], terminal.errColor)} after ${formatSeconds(job.elapsedSeconds)}${job.reason === '' ? '' : `: ${job.reason}`}`,
  );
  if (job.failure !== null) terminal.note(`${job.failure.message} ${wayOutFor(job.failure.wayOut, job.id)}`);
}
