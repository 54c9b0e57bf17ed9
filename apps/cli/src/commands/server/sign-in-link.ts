import { defineCommand, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand({
  brief: 'Print a one-time sign-in link of the first admin',
  examples: [
    ['server sign-in-link', 'open it in a browser'],
    ['server start', 'prints one too, the first time'],
  ],
  about: ['Needs the data directory of the server, and the server running.'],
  json: 'Nothing; prints the link alone.',
  parameters: { flags: globalFlags },
  run: async () => serverCommand(),
});
