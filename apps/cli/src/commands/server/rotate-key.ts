import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand<GlobalFlags & { forget?: boolean }>({
  brief: 'Change the master key and seal every secret anew',
  examples: [
    ['server rotate-key', 'on the machine of the server, with its settings'],
    ['server rotate-key --forget', 'takes keys that nothing is sealed with out of the file'],
  ],
  about: [
    'The server goes on meanwhile: old and new key can be read until everything is sealed with the new one, and after that. Cut off anywhere, run it again: it goes on where it was.',
    'With HANGAR_DATABASE_URL there may be other servers: the first run puts the new key into the key file without using it, so that you can copy the file to every server; the second run uses it.',
    'Backups made before need the old key, so it stays in the file until --forget.',
  ],
  json: '{"keyId", "prepared", "resealed", "unreadable", "forgotten", "masterKeyFile"}.',
  parameters: {
    flags: {
      ...globalFlags,
      forget: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Take keys that nothing is sealed with out of the file',
      },
    },
  },
  run: async () => serverCommand(),
});
