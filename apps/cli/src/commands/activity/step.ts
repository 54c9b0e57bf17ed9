import type { StepStatus } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, text } from '../../command.ts';
import { activityArgument, showActivity } from './activity-words.ts';

interface Flags extends GlobalFlags {
  readonly error?: string | undefined;
}

const STATUSES = ['pending', 'running', 'completed', 'failed'] as const satisfies readonly StepStatus[];

export const command = defineCommand<Flags, [string, string, StepStatus]>({
  brief: 'Say how a step goes',
  examples: [
    ['activity step a_5h2k9d build running', 'it begins'],
    ["activity step a_5h2k9d build failed --error 'no space left'", 'it failed, and why'],
  ],
  json: 'The activity: {"id", "operation", "status", "steps", …}',
  parameters: {
    flags: { error: text('Why it failed', 'TEXT'), ...globalFlags },
    positional: {
      kind: 'tuple',
      parameters: [
        activityArgument,
        { parse: String, placeholder: 'STEP', brief: 'Name of the step' },
        {
          parse: (word) => {
            const status = STATUSES.find((one) => one === word);
            if (status !== undefined) return status;
            throw new HangarError('usage', { message: `${JSON.stringify(word)} is not one of ${STATUSES.join(', ')}` });
          },
          proposeCompletions: () => STATUSES,
          placeholder: 'STATUS',
          brief: STATUSES.join(', '),
        },
      ],
    },
  },
  async run(flags, id, step, status) {
    const { client } = await this.api(flags.server);
    const activity = await client.activity.publish({
      id,
      message: {
        type: 'DEVOPS_STEP_UPDATE',
        step,
        status,
        ...(flags.error === undefined ? {} : { error: flags.error }),
      },
    });
    if (flags.json) return this.terminal.json(activity);
    showActivity(activity, this.terminal);
    this.terminal.next(`hangar activity complete ${id}`);
  },
});
