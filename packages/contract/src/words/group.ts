import type { Job } from '../jobs.ts';
import { isFinal } from '../state-words.ts';
import { plural } from './number.ts';

/** `3 of 5 jobs ended: 2 succeeded, 1 did not`. */
export function groupWords(jobs: readonly Pick<Job, 'state'>[]): string {
  const ended = jobs.filter(({ state }) => isFinal(state));
  const succeeded = ended.filter(({ state }) => state === 'succeeded').length;
  const rest = ended.length - succeeded;
  return `${ended.length} of ${plural(jobs.length, 'job')} ended: ${succeeded} succeeded${rest === 0 ? '' : `, ${rest} did not`}`;
}

/** `same`: all whose diff is known changed it alike. `alone`: one did. `differs`: anything else. */
export type Verdict = 'same' | 'differs' | 'alone';

/** Whether the jobs of a group agree on a file: by the numbers of those that changed it, and in how many ways they did. */
export function verdictWords(verdict: Verdict, numbers: readonly number[], ways: number): string {
  if (verdict === 'same') return 'same';
  if (verdict === 'alone') return `only ${numbers.join(', ')}`;
  return ways === 1 ? `same in ${numbers.join(', ')}` : 'differs';
}
