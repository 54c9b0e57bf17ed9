import { defineCommand, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand({
  brief: 'Run the server',
  examples: [
    ['server start', 'on http://127.0.0.1:7070, with a database of its own'],
    ['server sign-in-link', 'how to get in the first time'],
  ],
  about: [
    'Settings come from the environment: HANGAR_HOST, HANGAR_PORT, HANGAR_DATA_DIR, HANGAR_DATABASE_URL and more; .env.example in the checkout lists them. Ctrl-C stops it; running jobs go on and are found again at the next start.',
  ],
  json: 'Nothing; the server logs JSON lines on stderr.',
  parameters: { flags: globalFlags },
  run: async () => serverCommand(),
});
