import { finished, type Readable, Transform, Writable } from 'node:stream';
import { HangarError, showPath } from '@hangar/contract';
import { extract } from 'tar-stream';

const TYPES = new Set(['file', 'contiguous-file', 'directory', 'symlink', 'link']);

/**
 * Lets a tar archive through byte by byte while it is read along: one whose names leave the folder it is unpacked in, lead through a link
 * of its own or are no files, folders or links breaks off before that entry passes.
 */
export function guardTar(source: Readable): Readable {
  const links = new Set<string>();
  // Names are bytes: latin1 keeps them apart.
  const parser = extract({ filenameEncoding: 'latin1' as BufferEncoding });
  let refused: HangarError | null = null;
  parser.on('entry', (header, body, next) => {
    refused ??= whyRefused(header, links);
    body.resume();
    next(refused);
  });
  const ended = new Promise<void>((resolve, reject) => parser.on('finish', resolve).on('error', reject));
  ended.catch(() => undefined);
  const fail = (error: unknown) =>
    refused ?? new HangarError('tar_invalid', { message: 'This is no whole tar archive.', cause: error });
  const gate = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let isDone = false;
      const once = (error?: unknown) => {
        if (isDone) return;
        isDone = true;
        parser.off('error', once);
        if (error) done(fail(error));
        else done(null, chunk);
      };
      parser.once('error', once);
      // Called when all entries that begin in it were looked at.
      parser.write(chunk) ? setImmediate(once) : parser.once('drain', once);
    },
    flush(done) {
      parser.end();
      ended.then(
        () => done(refused),
        (error: unknown) => done(fail(error) as Error),
      );
    },
  });
  source.on('error', (error) => gate.destroy(error));
  finished(gate, () => {
    source.destroy();
    parser.destroy();
  });
  return source.pipe(gate as Writable as Transform);
}
