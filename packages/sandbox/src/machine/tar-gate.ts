import { finished, type Readable, Transform } from 'node:stream';
import { decodePath, HangarError, showPath } from '@hangar/contract';
import { extract } from 'tar-stream';

const TYPES = new Set(['file', 'contiguous-file', 'directory', 'symlink', 'link']);

/**
 * Lets a tar archive through byte by byte while it is read along: one whose names leave the folder it is unpacked in, lead through a link
 * of its own or are no files, folders or links breaks off before that entry passes.
 */
export function guardTar(source: Readable): Readable {
  const links = new Set<string>();
  // Names are bytes: latin1 keeps them apart.
  const parser = extract({ filenameEncoding: 'latin1' } as Parameters<typeof extract>[0]);
  let refused: HangarError | null = null;
  parser.on('entry', (header, body, next) => {
    refused ??= whyRefused(header, links);
    // It ends with the archive, which tells why.
    body.on('error', () => undefined).resume();
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
      parser.end(null);
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
  return source.pipe(gate);
}

function whyRefused(
  header: { name: string; type?: string | null | undefined; linkname?: string | null | undefined },
  links: Set<string>,
) {
  const type = header.type ?? 'file';
  const refuse = (what: string) => {
    const shown = showPath(decodePath(Buffer.from(header.name, 'latin1')));
    return new HangarError('tar_refused', { message: `${shown}: ${what}` });
  };
  if (!TYPES.has(type)) return refuse('is no file, folder or link');
  const parts = partsOf(header.name);
  if (parts === null) return refuse('leads out of the folder');
  if (leadsThrough(parts, links)) return refuse('leads through a link');
  if (type === 'link') {
    const target = partsOf(header.linkname ?? '');
    if (target === null || leadsThrough(target, links)) return refuse('is a link to what is outside of the folder');
  }
  // What comes later under the same name takes its place.
  if (type === 'symlink') links.add(parts.join('/'));
  else links.delete(parts.join('/'));
  return null;
}

/** Null when it is absolute or goes up. */
function partsOf(name: string): string[] | null {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return name.startsWith('/') || parts.includes('..') ? null : parts;
}

const leadsThrough = (parts: readonly string[], links: ReadonlySet<string>): boolean =>
  links.size > 0 && parts.some((_, index) => index > 0 && links.has(parts.slice(0, index).join('/')));
