import { defineCommand } from '../../../command.ts';
import { settingsFrom } from './environment.ts';
import { IMPORT_JSON, type ImportFlags, importFlags, makeImported } from './import-words.ts';

const VARIABLES = [
  ['apiKey', 'E2B_API_KEY'],
  ['domain', 'E2B_DOMAIN'],
  ['apiUrl', 'E2B_API_URL'],
  ['sandboxUrl', 'E2B_SANDBOX_URL'],
] as const;

export const command = defineCommand<ImportFlags>({
  brief: 'Make a profile from the variables of E2B',
  examples: [
    ['profiles import e2b', 'with $E2B_API_KEY'],
    ['profiles import e2b --name team --default', 'under another name, as the default'],
  ],
  about: [
    'Reads E2B_API_KEY, and E2B_DOMAIN, E2B_API_URL and E2B_SANDBOX_URL where they are set. The key goes to the secret store of the server.',
  ],
  json: IMPORT_JSON,
  parameters: { flags: importFlags },
  async run(flags) {
    const settings = settingsFrom(this.settings.env, VARIABLES);
    await makeImported(this, flags, { driver: 'e2b', from: 'e2b', settings });
  },
});
