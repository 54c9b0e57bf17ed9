import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';
import { serverCommand } from './outside.ts';

export const command = defineCommand<GlobalFlags & { replace?: boolean }, [file: string]>({
  brief: 'Bring a backup to an empty data directory or database',
  examples: [
    ['server restore hangar.tgz', 'with the settings the server will be started with'],
    ['server restore hangar.tgz --replace', 'removes what is there first'],
  ],
  about: [
    'The server must not be running. The file is checked from end to end before anything is touched, and so is the master key: copy the key file of the old server first.',
    'Jobs that were running when the backup was made end as lost, with their partial diff; jobs that waited run when the server starts. A backup of an older Hangar is brought up to date.',
  ],
  json: '{"file", "madeAt", "madeBy", "jobs", "files", "lost", "queued"}.',
  parameters: {
    flags: {
      ...globalFlags,
      replace: { kind: 'boolean', optional: true, withNegated: false, brief: 'Remove the data that is there' },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'FILE', brief: 'What hangar server backup wrote' }],
    },
  },
  run: async () => serverCommand(),
});
