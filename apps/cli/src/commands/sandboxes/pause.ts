import { defineTurn } from '../../sandboxes/turn-command.ts';

export const command = defineTurn({
  brief: 'Pause a sandbox: its machine is kept, and what runs in it stands still',
  examples: [
    ['sandbox pause s_7k2m9p4x', 'waits until it is paused'],
    ['sandbox pause s_7k2m9p4x --no-wait', 'and does not wait for it'],
  ],
  about: [
    'Only where its driver can: see hangar profiles drivers. A paused sandbox is closed when its time is over, like any other.',
  ],
  ...{ verb: 'pause', state: 'paused', doing: 'pausing', noWait: 'Do not wait until it is paused' },
  next: (id) => `hangar sandbox resume ${id}`,
});
