import type { Stats } from 'node:fs';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import type { Copied } from '../../sandboxes/files/copy.ts';
import type { RemotePath } from '../../sandboxes/files/remote-files.ts';

interface Flags extends GlobalFlags {
  readonly recursive: boolean;
}

export const command = defineCommand<Flags, [string, string]>({
  brief: 'Copy files between this machine and a sandbox',
  examples: [
    ['cp script.sh s_7k2m9p4x:work/', 'a file, below the home folder there'],
    ['cp -r s_7k2m9p4x:/srv/site ./site', 'a folder with all that is in it'],
    ['cp s_7k2m9p4x:result.json - | jq .', 'to stdout'],
  ],
  about: [
    'One side is a path in a sandbox, written ID:PATH. What does not begin with / is found from where commands begin: the home folder of its account, or the files of its job (sandbox open --job). Into a folder that is there a copy goes under its own name; as DIR/. only what is in it goes.',
    'A file arrives whole or not at all, and keeps its mode. A folder goes as a tar archive, with links as they are and names byte for byte; what would be written outside of the target is refused.',
    '- is standard input or output: of a file its bytes, with -r a tar archive.',
  ],
  json: '{"from", "to", "bytes"}: of a folder those of the archive.',
  parameters: {
    flags: { recursive: yes('Copy a folder with all that is in it'), ...globalFlags },
    aliases: { r: 'recursive' },
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: String, placeholder: 'FROM', brief: 'A path here, ID:PATH in a sandbox, or -' },
        { parse: String, placeholder: 'TO', brief: 'A path here, ID:PATH in a sandbox, or -' },
      ],
    },
  },
  async run(flags, from, to) {
    const [source, target] = [remotePathOf(from), remotePathOf(to)];
    if ((source === null) === (target === null))
      throw new HangarError('usage', {
        message: source === null ? 'Neither side is in a sandbox.' : 'Both sides are in a sandbox.',
        wayOut: 'Write one of them as ID:PATH, as in: hangar cp notes.txt s_7k2m9p4x:notes.txt',
      });
    const { copyFrom, copyTo } = await import('../../sandboxes/files/copy.ts');
    const api = await this.api(flags.server);
    const copied: Copied =
      source === null
        ? await copyTo(this, api, from, target as RemotePath, await kindOf(this, flags, from))
        : await copyFrom(this, api, source, to, flags.recursive);
    if (flags.json && to !== '-') return this.terminal.json({ from, to: copied.to, bytes: copied.bytes });
    if (to !== '-') this.terminal.note(copied.to);
  },
});

/** `s_…:path`; null for a path of this machine. */
function remotePathOf(text: string): RemotePath | null {
  const [, sandbox, path] = /^(s_[0-9a-z]{6,40}):([\s\S]*)$/.exec(text) ?? [];
  return sandbox === undefined || path === undefined ? null : { sandbox, path };
}

/** What is to be sent. @throws HangarError usage, file_unreadable, before the server is asked */
async function kindOf(cli: Cli, { recursive }: Flags, from: string): Promise<Stats | 'file' | 'tar'> {
  if (from === '-') return recursive ? 'tar' : 'file';
  const [{ stat }, { resolve }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const found = await stat(resolve(cli.settings.cwd, from)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new HangarError('file_unreadable', { message: `There is no ${from} here.`, details: { path: from } });
  });
  if (found.isDirectory() && !recursive) throw needsRecursive(from);
  if (!found.isDirectory() && !found.isFile())
    throw new HangarError('usage', {
      message: `${from} is no file or folder.`,
      wayOut: `Send what it gives by standard input: hangar cp - ID:PATH < ${from}`,
    });
  return found;
}

const needsRecursive = (path: string): HangarError =>
  new HangarError('usage', { message: `${path} is a folder.`, wayOut: 'Copy it with all that is in it: hangar cp -r' });
