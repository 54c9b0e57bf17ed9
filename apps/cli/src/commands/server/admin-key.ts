import { defineCommand, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand({
  brief: 'Print a fresh API key of the first admin',
  examples: [
    ['server admin-key > key.txt', 'on the machine of the server, with its HANGAR_DATA_DIR'],
    ['cloud login --with-token < key.txt', 'signs in with it'],
  ],
  about: ['For automation. Needs the data directory of the server, and the server running.'],
  json: 'Nothing; prints the key alone.',
  parameters: { flags: globalFlags },
  run: async () => serverCommand(),
});
