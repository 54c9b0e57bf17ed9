import { defineCommand } from '../../../command.ts';
import { settingsFrom } from './environment.ts';
import { IMPORT_JSON, type ImportFlags, importFlags, makeImported } from './import-words.ts';

const VARIABLES = [
  ['apiKey', 'DAYTONA_API_KEY'],
  ['apiUrl', 'DAYTONA_API_URL'],
  ['target', 'DAYTONA_TARGET'],
] as const;

export const command = defineCommand<ImportFlags>({
  brief: 'Make a profile from the variables of Daytona',
  examples: [
    ['profiles import daytona', 'with $DAYTONA_API_KEY'],
    ['profiles import daytona --name team --default', 'under another name, as the default'],
  ],
  about: [
    'Reads DAYTONA_API_KEY, and DAYTONA_API_URL and DAYTONA_TARGET where they are set. The key goes to the secret store of the server.',
  ],
  json: IMPORT_JSON,
  parameters: { flags: importFlags },
  async run(flags) {
    const settings = settingsFrom(this.settings.env, VARIABLES);
    await makeImported(this, flags, { driver: 'daytona', from: 'daytona', settings });
  },
});
