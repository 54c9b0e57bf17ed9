import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { type JobStep, nextSteps } from '@hangar/contract/words/job';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { plural } from '@hangar/contract/words/number';
import type { Terminal } from '../terminal/terminal.ts';

export function diffWords({ diff }: Job): string {
  if (diff === null) return 'none';
  if (diff.filesChanged === 0) return 'no changes';
  return `${plural(diff.filesChanged, 'file')}, +${diff.insertions} -${diff.deletions}${diff.partial ? ' (partial)' : ''}`;
}

/** An error whose way out names the job it is about. */
export function aboutJob(error: unknown, id: string): unknown {
  if (!(error instanceof HangarError) || !/\bID\b/.test(error.wayOut)) return error;
  const { code, message, details } = error;
  const known = details === undefined ? {} : { details };
  return new HangarError(code, { message, wayOut: wayOutFor(error.wayOut, id), ...known, cause: error });
}

const COMMANDS: Record<JobStep, (id: string) => string> = {
  follow: (id) => `hangar logs ${id} --follow`,
  cancel: (id) => `hangar cancel ${id}`,
  pull: (id) => `hangar pull ${id}`,
  look: (id) => `hangar logs ${id} --tail 50`,
  retry: (id) => `hangar retry ${id}`,
};

/** What a person would type next about this job. */
export const nextCommands = (job: Job): string[] => nextSteps(job).map((step) => COMMANDS[step](job.id));

/** Says what the agent made and the diff does not hold. */
export function warnOfLeftOut(terminal: Pick<Terminal, 'warn'>, notes: readonly string[] = []): void {
  for (const note of notes) terminal.warn(`${note}.`);
}
