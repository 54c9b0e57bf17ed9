import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { activityArgument, showActivity } from './activity-words.ts';

interface Flags extends GlobalFlags {
  readonly error: string;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Say that it failed',
  examples: [
    ["activity fail a_5h2k9d --error 'the registry is away'", 'it ended badly, and why'],
    ['activity --status failed', 'lists what failed'],
  ],
  json: 'The activity: {"id", "operation", "status", "steps", …}',
  parameters: {
    flags: { error: { kind: 'parsed', parse: String, brief: 'Why', placeholder: 'TEXT' }, ...globalFlags },
    positional: { kind: 'tuple', parameters: [activityArgument] },
  },
  async run(flags, id) {
    const { client } = await this.api(flags.server);
    const activity = await client.activity.publish({ id, message: { type: 'DEVOPS_FAILED', error: flags.error } });
    if (flags.json) return this.terminal.json(activity);
    showActivity(activity, this.terminal);
    this.terminal.next('hangar activity');
  },
});
