import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { BroughtEntry } from './entries.ts';

/** A tar of what is brought. It breaks when a file cannot be read. */
export function archive(entries: readonly BroughtEntry[]): Readable {
  const tar = pack();
  const output = new PassThrough();
  // It may break before anybody reads it: who reads it then finds it broken.
  output.on('error', () => undefined);
  tar.on('error', (error) => output.destroy(error));
  tar.pipe(output);
  const write = async () => {
    for (const { name, mode, from } of entries) {
      const header = { name, mode, uid: 0, gid: 0, mtime: new Date(0) };
      if ('text' in from) tar.entry(header, from.text);
      else {
        const { size } = await stat(from.file);
        await pipeline(createReadStream(from.file), tar.entry({ ...header, size }));
      }
    }
    tar.finalize();
  };
  write().catch((error: unknown) => {
    tar.destroy();
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return output;
}
