import { defineTurn } from '../../sandboxes/turn-command.ts';

export const command = defineTurn({
  brief: 'Let a paused sandbox go on',
  examples: [
    ['sandbox resume s_7k2m9p4x', 'waits until it runs again'],
    ['sandbox resume s_7k2m9p4x --no-wait', 'and does not wait for it'],
  ],
  about: ['One that was left by hangar sandbox close --keep is taken up again.'],
  ...{ verb: 'resume', state: 'running', doing: 'resuming', noWait: 'Do not wait until it runs' },
  next: (id) => `hangar sandbox exec ${id} -- COMMAND`,
});
