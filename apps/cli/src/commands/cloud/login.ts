import { spawn } from 'node:child_process';
import { HangarError } from '@hangar/contract/errors';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import type { Storage, Tokens } from '../../server/sign-ins.ts';
import { whyNoToken } from '../../settings.ts';
import { readAll } from '../../terminal/ask.ts';
import { personWords } from '../../terminal/words.ts';

interface Flags extends GlobalFlags {
  readonly noBrowser: boolean;
  readonly withToken: boolean;
  readonly storage?: Storage | undefined;
}

export const command = defineCommand<Flags>({
  brief: 'Sign in to a server',
  examples: [
    ['cloud login', 'shows a code, opens the browser, waits'],
    ['cloud login --with-token < key.txt', 'signs in with an API key'],
    ['cloud login --server https://hangar.example.org', 'signs in to another server'],
  ],
  about: [
    'Several servers can be signed in to at the same time; the last sign-in is the default, --server or HANGAR_SERVER choose another.',
    'The token goes to the keychain of this system. Where there is none it goes to a file that only you can read, and a notice says so.',
  ],
  json: '{"server", "user", "identity", "storage"}: the address, the person (id, name, email, role), what signed in, and keychain or file.',
  parameters: {
    flags: {
      noBrowser: yes('Only show the address, do not open a browser'),
      withToken: yes('Read an API key from standard input'),
      storage: {
        kind: 'enum',
        values: ['keychain', 'file'],
        optional: true,
        brief: 'Where to keep the token; the keychain when it works, else a file',
      },
      ...globalFlags,
    },
  },
  async run(flags) {
    const { terminal, settings, signal } = this;
    const { chooseServer, connect } = await import('../../server/api.ts');
    const server = await chooseServer({ settings, signal, server: flags.server });
    const url = new URL(server);
    if (url.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(url.hostname))
      terminal.warn(`${server} is not encrypted: others on the way can read the token.`);

    const tokens: Tokens = flags.withToken
      ? { kind: 'apiKey', accessToken: await readKey(this) }
      : await signInByDevice(this, flags, server);
    const api = await connect({ settings, terminal, signal, server, tokens });
    const me = await api.client.access.me({}).catch((error: unknown) => {
      if (flags.withToken && error instanceof HangarError && error.kind === 'unauthenticated')
        throw new HangarError(error.code, {
          message: `${server} does not accept this API key.`,
          wayOut: 'Make a new one in Settings, or on the server run: hangar server admin-key',
        });
      throw error;
    });
    const storage = await api.signIns.add(server, me.user.email, tokens, flags.storage);
    if (storage === 'file' && flags.storage !== 'file')
      terminal.warn(`no system keychain here; the token is stored in plain text at ${api.signIns.file} (mode 600).`);
    if (flags.json) return terminal.json({ server, user: me.user, identity: me.identity, storage });
    terminal.out(`Signed in to ${server} as ${personWords(me.user)}.`);
    terminal.next('hangar run --cloud --spec SPEC.md');
  },
});

async function readKey(cli: Cli): Promise<string> {
  if (cli.stdin.isTTY)
    throw new HangarError('input_required', {
      message: 'There is no API key on standard input.',
      wayOut: 'Send it in: hangar cloud login --with-token < key.txt',
    });
  const key = (await readAll(cli.stdin, 64 * 1024, cli.signal)).trim();
  const wrong = key === '' ? 'is empty' : whyNoToken(key);
  if (wrong !== null)
    throw new HangarError('input_required', {
      message: `Standard input ${wrong}.`,
      wayOut: 'Send one API key in, as plain text: hangar cloud login --with-token < key.txt',
    });
  return key;
}

async function signInByDevice(cli: Cli, flags: Flags, server: string): Promise<Tokens> {
  const { terminal, settings, signal } = cli;
  const [{ askForDevice, waitForApproval }, { openLink }] = await Promise.all([
    import('../../server/device-login.ts'),
    import('../../server/link.ts'),
  ]);
  const link = openLink(server, settings.env);
  const device = await askForDevice(link, signal);
  const page = device.verification_uri_complete;
  const { bold } = terminal.errColor;
  // The code is what the person is asked to compare, so it is shown even with --quiet.
  await terminal.writeErr(
    `Open ${bold(device.verification_uri)}\nand approve the code ${bold(device.user_code)} (valid for ${formatSeconds(device.expires_in)}).\n`,
  );
  if (!flags.noBrowser && terminal.errIsTerminal && settings.canOpenBrowser && !settings.overSsh) openBrowser(page);
  const progress = terminal.progress('Waiting for approval in the browser');
  try {
    return await waitForApproval(link, device, signal);
  } finally {
    progress.done();
  }
}

/** The address comes from a server: only a web address is handed to the system, and never through a shell. */
function openBrowser(page: string): void {
  const { protocol, href } = new URL(page);
  if (protocol !== 'https:' && protocol !== 'http:') return;
  const [program, ...args]: [string, ...string[]] =
    process.platform === 'darwin'
      ? ['open', href]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', href]
        : ['xdg-open', href];
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
