import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { defineCommand } from '../../../command.ts';
import { privateKey, readSecret } from '../profile-secret.ts';
import { cannotBe, IMPORT_JSON, type ImportFlags, importFlags, makeImported } from './import-words.ts';
import { runProgram } from './run-program.ts';
import { readSshHost } from './ssh-config.ts';

export const command = defineCommand<ImportFlags, [string]>({
  brief: 'Make a profile from a host of ~/.ssh/config',
  examples: [
    ['profiles import ssh build-box', 'host, port, user, key and the way there'],
    ['profiles import ssh build-box --name box --default', 'under another name, as the default'],
  ],
  about: [
    'ssh itself is asked (ssh -G) what its configuration says of the host. The private key is read here and kept in the secret store of the server. What no setting of a profile can hold, like ProxyCommand, is refused by name.',
  ],
  json: IMPORT_JSON,
  parameters: {
    flags: importFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'HOST', brief: 'As you call it after ssh' }],
    },
  },
  async run(flags, host) {
    const found = await readSshHost(host, (args) => runProgram(this, 'ssh', args));
    const home = this.settings.env.HOME || homedir();
    const files = found.identityFiles.map((file) => file.replace(/^~(?=\/)/, home));
    const file = await firstThere(files);
    if (file === null)
      throw cannotBe(
        host,
        `none of its keys is a file here (${files.join(', ') || 'none is named'}); one in an agent or a device cannot be sent`,
        'Make one: ssh-keygen -t ed25519 -N "" -f FILE, then hangar profiles create NAME --driver ssh --host HOST --key FILE',
      );
    const key = privateKey(await readSecret(this, file));
    const { port, user, jump } = found;
    await makeImported(this, flags, {
      driver: 'ssh',
      from: host,
      settings: { host: found.host, port, user, jump, key },
    });
  },
});

async function firstThere(files: readonly string[]): Promise<string | null> {
  for (const file of files)
    if (
      await access(join(file)).then(
        () => true,
        () => false,
      )
    )
      return file;
  return null;
}
