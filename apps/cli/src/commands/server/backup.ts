import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand<GlobalFlags & { force?: boolean }, [file: string]>({
  brief: 'Back up the server into one file',
  examples: [
    ['server backup hangar.tgz', 'on the machine of the server, with its settings'],
    ['server backup hangar.tgz --force', 'replaces the file when the new one is whole'],
  ],
  about: [
    'The server goes on meanwhile. The file holds everything as it was at one moment: jobs, logs, diffs, people, sealed credentials. It is readable by you alone.',
    'The master key is not in the file: keep a copy of the key file at another place. Without it the credentials in the backup cannot be read.',
  ],
  json: '{"file", "sizeBytes", "jobs", "rows", "files", "damagedFiles", "damaged", "masterKeyFile"}.',
  parameters: {
    flags: {
      ...globalFlags,
      force: { kind: 'boolean', optional: true, withNegated: false, brief: 'Replace the file if it is there' },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'Where to write it' }],
    },
  },
  run: async () => serverCommand(),
});
