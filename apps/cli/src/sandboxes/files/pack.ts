import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { HangarError } from '@hangar/contract/errors';

const MOST_ERROR = 2_000;

/** All that is in a folder as a tar archive, by the tar of this machine: it keeps names as the bytes they are. Fails when that does. */
export function pack(folder: string, env: Readonly<Record<string, string | undefined>>): Readable {
  const out = new PassThrough();
  // What macOS keeps beside files is of no use elsewhere.
  const child = spawn('tar', ['-C', folder, '-cf', '-', '.'], {
    env: { ...env, COPYFILE_DISABLE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < MOST_ERROR) said += text;
  });
  child.stdout.pipe(out, { end: false });
  child.once('error', (cause) =>
    out.destroy(
      new HangarError('unsupported', {
        message: 'There is no tar on this machine.',
        wayOut: 'Install tar, or copy single files.',
        cause,
      }),
    ),
  );
  child.once('close', (code) => {
    // 1: something changed while it was read; it is taken as it came.
    if (code === 0 || code === 1) out.end();
    else
      out.destroy(
        new HangarError('file_unreadable', { message: `tar could not read ${folder}: ${said.trim().slice(0, 500)}` }),
      );
  });
  out.once('close', () => child.kill());
  return out;
}
