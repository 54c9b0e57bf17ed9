import { type Plan, Plan as PlanSchema } from '@hangar/contract';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags, text } from '../../command.ts';
import { checkOptions } from '../../terminal/check-options.ts';
import { seconds, sizeInBytes, wholeNumber } from '../../terminal/numbers.ts';
import { parseInput } from '../../terminal/parse-input.ts';

interface Flags extends GlobalFlags {
  readonly title?: string | undefined;
  readonly jobsAtOnce?: number | undefined;
  readonly jobsWaiting?: number | undefined;
  readonly sandboxesAtOnce?: number | undefined;
  readonly minutesPerMonth?: number | 'none' | undefined;
  readonly maxTimeout?: number | undefined;
  readonly maxArtifacts?: number | undefined;
  readonly maxLog?: number | undefined;
  readonly keepLogs?: number | 'none' | undefined;
  readonly keepArtifacts?: number | 'none' | undefined;
  readonly keep?: number | 'none' | undefined;
}

/** What a new plan has where nothing is said. */
const NEW: Omit<Plan, 'id' | 'title'> = {
  jobsAtOnce: 2,
  jobsWaiting: 50,
  sandboxesAtOnce: 10,
  minutesPerMonth: null,
  maxTimeoutSeconds: 4 * 3600,
  maxArtifactBytes: 1024 ** 3,
  maxLogBytes: 256 * 1024 ** 2,
  keepLogDays: null,
  keepArtifactDays: null,
  keepBytes: null,
};

const number = (brief: string) =>
  ({ kind: 'parsed', parse: wholeNumber, optional: true, brief, placeholder: 'N' }) as const;

const numberOrNone = (brief: string) =>
  ({
    kind: 'parsed',
    parse: (word: string) => (word === 'none' ? word : wholeNumber(word)),
    optional: true,
    brief,
    placeholder: 'N',
  }) as const;

/** What was given, with none as null; else what was before. */
const orNull = (given: number | 'none' | undefined, before: number | null): number | null =>
  given === 'none' ? null : (given ?? before);

/** @throws HangarError usage, before anything is sent */
function checkFlags(flags: Flags): void {
  const { shape } = PlanSchema;
  const given = (value: number | 'none' | undefined) => (value === 'none' ? undefined : value);
  checkOptions('plans put', [
    { flag: '--title', value: flags.title, schema: shape.title },
    { flag: '--jobs-at-once', value: flags.jobsAtOnce, schema: shape.jobsAtOnce },
    { flag: '--jobs-waiting', value: flags.jobsWaiting, schema: shape.jobsWaiting },
    { flag: '--sandboxes-at-once', value: flags.sandboxesAtOnce, schema: shape.sandboxesAtOnce },
    { flag: '--minutes-per-month', value: given(flags.minutesPerMonth), schema: shape.minutesPerMonth },
    { flag: '--max-timeout', value: flags.maxTimeout, schema: shape.maxTimeoutSeconds, shown: formatSeconds },
    { flag: '--max-artifacts', value: flags.maxArtifacts, schema: shape.maxArtifactBytes, shown: sizeInWords },
    { flag: '--max-log', value: flags.maxLog, schema: shape.maxLogBytes, shown: sizeInWords },
    { flag: '--keep-logs', value: given(flags.keepLogs), schema: shape.keepLogDays },
    { flag: '--keep-artifacts', value: given(flags.keepArtifacts), schema: shape.keepArtifactDays },
    { flag: '--keep', value: given(flags.keep), schema: shape.keepBytes, shown: sizeInWords },
  ]);
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Make or change a plan (admin)',
  examples: [
    ['plans put large --jobs-at-once 8 --max-timeout 12h', 'makes it, or changes just that'],
    ['people update u_9x2k4m --plan large', 'gives it to somebody'],
  ],
  about: [
    'A plan that is there keeps what is not named. A new one gets 2 jobs at once, 50 waiting, 10 sandboxes, 4 h a job, 1 GiB of artifacts.',
  ],
  json: '{"id", "title", "jobsAtOnce", "jobsWaiting", "sandboxesAtOnce", "minutesPerMonth", "maxTimeoutSeconds", "maxArtifactBytes", "maxLogBytes", "keepLogDays", "keepArtifactDays", "keepBytes"}',
  parameters: {
    flags: {
      title: text('How it is shown', 'TEXT'),
      jobsAtOnce: number('Jobs of one person that run at the same time'),
      jobsWaiting: number('Jobs of one person that may wait'),
      sandboxesAtOnce: number('Sandboxes of one person that are open at the same time'),
      minutesPerMonth: numberOrNone('Run time a month; none is no limit'),
      maxTimeout: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'Longest timeout of a job',
        placeholder: 'TIME',
      },
      maxArtifacts: {
        kind: 'parsed',
        parse: sizeInBytes,
        optional: true,
        brief: 'All artifacts of a job together',
        placeholder: 'SIZE',
      },
      maxLog: { kind: 'parsed', parse: sizeInBytes, optional: true, brief: 'The log of a job', placeholder: 'SIZE' },
      keepLogs: numberOrNone('Days that logs are kept; none is for ever'),
      keepArtifacts: numberOrNone('Days that diffs and files are kept; none is for ever'),
      keep: {
        kind: 'parsed',
        parse: (word: string) => (word === 'none' ? word : sizeInBytes(word)),
        optional: true,
        brief: 'Logs and artifacts of one person together; above it the oldest go first',
        placeholder: 'SIZE',
      },
      ...globalFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'PLAN', brief: 'Short name of the plan' }],
    },
  },
  async run(flags, id) {
    checkFlags(flags);
    const { client } = await this.api(flags.server);
    const before = (await client.access.listPlans({})).items.find((plan) => plan.id === id);
    const base = before ?? { ...NEW, id, title: id };
    const plan = await client.access.putPlan(
      parseInput(PlanSchema, {
        ...base,
        title: flags.title ?? base.title,
        jobsAtOnce: flags.jobsAtOnce ?? base.jobsAtOnce,
        jobsWaiting: flags.jobsWaiting ?? base.jobsWaiting,
        sandboxesAtOnce: flags.sandboxesAtOnce ?? base.sandboxesAtOnce,
        minutesPerMonth: orNull(flags.minutesPerMonth, base.minutesPerMonth),
        maxTimeoutSeconds: flags.maxTimeout ?? base.maxTimeoutSeconds,
        maxArtifactBytes: flags.maxArtifacts ?? base.maxArtifactBytes,
        maxLogBytes: flags.maxLog ?? base.maxLogBytes,
        keepLogDays: orNull(flags.keepLogs, base.keepLogDays),
        keepArtifactDays: orNull(flags.keepArtifacts, base.keepArtifactDays),
        keepBytes: orNull(flags.keep, base.keepBytes),
      }),
    );
    if (flags.json) return this.terminal.json(plan);
    this.terminal.out(`${before === undefined ? 'Made' : 'Changed'} plan ${plan.id}.`);
    this.terminal.next('hangar plans', `hangar people update ID --plan ${plan.id}`);
  },
});
