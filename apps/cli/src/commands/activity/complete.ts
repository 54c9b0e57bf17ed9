import { defineCommand, type GlobalFlags, globalFlags, text } from '../../command.ts';
import { activityArgument, showActivity } from './activity-words.ts';

interface Flags extends GlobalFlags {
  readonly note?: string | undefined;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Say that it is done',
  examples: [
    ['activity complete a_5h2k9d', 'it ended well'],
    ["activity complete a_5h2k9d --note 'version 1.4 is live'", 'with a word about it'],
  ],
  json: 'The activity: {"id", "operation", "status", "steps", …}',
  parameters: {
    flags: { note: text('A word about it', 'TEXT'), ...globalFlags },
    positional: { kind: 'tuple', parameters: [activityArgument] },
  },
  async run(flags, id) {
    const { client } = await this.api(flags.server);
    const { note } = flags;
    const activity = await client.activity.publish({
      id,
      message: { type: 'DEVOPS_COMPLETE', ...(note === undefined ? {} : { note }) },
    });
    if (flags.json) return this.terminal.json(activity);
    showActivity(activity, this.terminal);
    this.terminal.next('hangar activity');
  },
});
