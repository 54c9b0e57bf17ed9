import { defineCommand, globalFlags } from '../../command.ts';
import { DEFAULT_SERVER } from '../../settings.ts';
import { wrap } from '../../terminal/words.ts';

const VARIABLES: readonly (readonly [string, string])[] = [
  ['HANGAR_SERVER', `Address of the server; else the last sign-in, else ${DEFAULT_SERVER}. --server wins.`],
  ['HANGAR_TOKEN', 'An API key to use instead of a sign-in; spaces and line ends around it do not count.'],
  ['HANGAR_CONFIG_DIR', 'Folder for the files below; else $XDG_CONFIG_HOME/hangar, else ~/.config/hangar.'],
  ['HTTPS_PROXY', 'The proxy to a server with https://, as http://NAME:PASSWORD@HOST:PORT; also https_proxy.'],
  ['HTTP_PROXY', 'The same to a server with http://; also http_proxy. ALL_PROXY is for both.'],
  ['NO_PROXY', 'What is reached without: hosts with all below them, addresses, networks, commas between; * for all.'],
  ['NODE_EXTRA_CA_CERTS', 'File with the certificate of an authority of your own, for servers with https://.'],
  ['HANGAR_DEBUG', 'Set to 1 to see where a bug is.'],
  ['NO_COLOR', 'Set to anything to have no colours.'],
];
const FILES: readonly (readonly [string, string])[] = [
  ['servers.json', 'Servers you signed in to; no secrets.'],
  ['credentials.json', 'Tokens, where there is no system keychain; only you can read it.'],
  ['runs/', 'Which git folders hold runs on this machine, so that other clones find them.'],
  ['.git/hangar/', 'In each checkout: what pull --undo and runs on this machine need.'],
];

export const command = defineCommand({
  brief: 'Variables and files the command line uses',
  examples: [
    ['help environment', 'this list'],
    ['jobs --server http://127.0.0.1:7070', 'an option instead of a variable'],
  ],
  json: '{"variables": [{"name", "meaning"}], "files": [{"name", "meaning"}], "configDir"}',
  parameters: { flags: globalFlags },
  async run(flags) {
    const { terminal, settings } = this;
    const named = (list: typeof VARIABLES) => list.map(([name, meaning]) => ({ name, meaning }));
    if (flags.json)
      return terminal.json({ variables: named(VARIABLES), files: named(FILES), configDir: settings.configDir });
    const show = (list: typeof VARIABLES) => {
      for (const [name, meaning] of list)
        terminal.out(`  ${name.padEnd(20)}${wrap(meaning, terminal.columns, ' '.repeat(22)).trimStart()}`);
    };
    terminal.out('Variables');
    show(VARIABLES);
    terminal.out();
    terminal.out(`Files (in ${settings.configDir})`);
    show(FILES);
  },
});
