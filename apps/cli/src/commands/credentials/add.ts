import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags, text } from '../../command.ts';
import { askSecret } from '../../terminal/ask.ts';

interface Flags extends GlobalFlags {
  readonly kind: 'https-token' | 'ssh-key';
  readonly host?: string | undefined;
  readonly username?: string | undefined;
  readonly knownHosts?: string | undefined;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Keep a git token or SSH key',
  examples: [
    ['cloud credentials add github --host github.com', 'asks for the token, hidden'],
    ['cloud credentials add deploy --kind ssh-key < ~/.ssh/id_ed25519', 'an SSH key from a file'],
  ],
  about: [
    'The value comes from a hidden prompt or standard input, never from an argument: those can be read by others. It is encrypted on the server, given to git in memory only, and never shown again.',
  ],
  json: '{"name", "kind", "host", "username", "createdAt", "lastUsedAt"}; never the value.',
  parameters: {
    flags: {
      kind: { kind: 'enum', values: ['https-token', 'ssh-key'], default: 'https-token', brief: 'What it is' },
      host: text('The only host it is given to; any when left out', 'HOST'),
      username: text('User name for HTTPS; x-access-token when left out', 'NAME'),
      knownHosts: text('File with known_hosts lines; without it the first key seen is trusted', 'FILE'),
      ...globalFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'NAME', brief: 'How jobs call it: --credential NAME' }],
    },
  },
  async run(flags, name) {
    const { terminal, settings } = this;
    const knownHosts =
      flags.knownHosts === undefined
        ? undefined
        : await readFile(resolve(settings.cwd, flags.knownHosts), 'utf8').catch((error: Error) => {
            throw new HangarError('usage', { message: `The file of --known-hosts cannot be read: ${error.message}` });
          });
    const secret = await askSecret(
      this,
      flags,
      flags.kind === 'ssh-key' ? 'Private key' : `Token for ${flags.host ?? 'git'}`,
      64 * 1024,
    );
    const { client } = await this.api(flags.server);
    const added = await client.credentials.create({
      name,
      kind: flags.kind,
      value: flags.kind === 'ssh-key' ? `${secret.trimEnd()}\n` : secret,
      ...(flags.host === undefined ? {} : { host: flags.host }),
      ...(flags.username === undefined ? {} : { username: flags.username }),
      ...(knownHosts === undefined ? {} : { knownHosts }),
    });
    if (flags.json) return terminal.json(added);
    terminal.out(`Kept ${added.name} (${added.kind}).`);
    terminal.next(`hangar run --cloud --credential ${added.name} --repo URL --spec SPEC.md`);
  },
});
