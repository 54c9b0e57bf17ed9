import type { Sandbox } from '@hangar/contract';
import { isClosed } from '@hangar/contract/state-words';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import { relativeTime } from '@hangar/contract/words/time';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { sandboxArgument } from '../../sandboxes/sandbox-id.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateAndReason } from '../../terminal/tones.ts';

interface Flags extends GlobalFlags {
  readonly keep: boolean;
  readonly noWait: boolean;
}

export const command = defineCommand<Flags, string[]>({
  brief: 'Close sandboxes; their machines go with all that is on them',
  examples: [
    ['sandbox close s_7k2m9p4x', 'waits until nothing is left of it'],
    ['sandbox close s_7k2m9p4x s_8m3n0q5y --no-wait', 'several at once'],
    ['sandbox close s_7k2m9p4x --keep', 'leaves it; its machine stays as it is'],
  ],
  about: [
    'What still runs in it is ended. A sandbox that is kept goes on by itself, and closes when its time is over or nobody has used it for long enough.',
    'Ctrl-C stops the waiting, not the closing.',
  ],
  json: 'One sandbox: the sandbox. Several: {"items": [sandbox, …]}, in the order they were named.',
  parameters: {
    flags: {
      keep: yes('Leave it, and let its machine be as it is'),
      noWait: yes('Do not wait until its machine is gone'),
      ...globalFlags,
    },
    positional: { kind: 'array', minimum: 1, parameter: { ...sandboxArgument, brief: 'One or more sandboxes' } },
  },
  async run(flags, ...ids) {
    const { terminal } = this;
    const api = await this.api(flags.server);
    // One that cannot be closed keeps no other from it.
    const asked = await Promise.allSettled(ids.map((id) => api.client.sandboxes.close({ id, keep: flags.keep })));
    const left: Sandbox[] = [];
    for (const answer of asked) {
      if (answer.status === 'rejected') continue;
      const sandbox =
        flags.keep || flags.noWait
          ? answer.value
          : await (await import('../../sandboxes/wait.ts')).waitUntil(this, api, answer.value, {
              is: ({ state }) => isClosed(state),
              doing: 'closing',
              wayOut: `See how far it is: hangar sandbox show ${answer.value.id}`,
            });
      left.push(sandbox);
      if (!flags.json) terminal.out(said(sandbox, flags.keep, terminal));
    }
    for (const answer of asked) if (answer.status === 'rejected') throw answer.reason;
    if (flags.json) terminal.json(ids.length > 1 ? { items: left } : left[0]);
    const [first = ''] = ids;
    terminal.next(flags.keep ? `hangar sandbox exec ${first} -- COMMAND` : 'hangar sandbox list');
  },
});

function said(sandbox: Sandbox, isKept: boolean, { color }: Terminal): string {
  const { id, closesAt } = sandbox;
  if (!isKept || isClosed(sandbox.state))
    return `${id} ${stateAndReason(sandboxWords(sandbox), sandbox.reason, color)}`;
  const until = closesAt === null ? '' : `; unused, it closes ${relativeTime(closesAt)}`;
  return `${id} is left, and its machine kept${until}.`;
}
