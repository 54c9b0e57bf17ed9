import { HangarError } from '@hangar/contract/errors';

/** What is not a matter of files although the same codes are used for it. */
const OF_NO_FILE = /^(connect|listen|bind|accept|getaddrinfo|spawn)/;

/**
 * What the system refused of a file, in words that people can act on; null when it is nothing of the kind.
 * @param path the file, where the error does not say it: those of writing through a handle never do
 */
export function fileTrouble(thrown: unknown, path?: string): HangarError | null {
  if (!(thrown instanceof Error) || thrown instanceof HangarError) return null;
  const { code, syscall = '', path: source, dest } = thrown as NodeJS.ErrnoException & { dest?: string };
  // Of a copy, what is written is the second one; what may not be read, or not be written, either.
  const written = path ?? (OF_NO_FILE.test(syscall) ? undefined : (dest ?? source));
  const o = { cause: thrown, ...(written === undefined ? {} : { details: { path: written } }) };
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HangarError('disk_full', {
      message: `There is no space left on the disk${written === undefined ? '' : ` for ${written}`}.`,
      wayOut: 'Free some space on this machine, or write to another disk.',
      ...o,
    });
  if (code === 'EMFILE' || code === 'ENFILE')
    return new HangarError('open_files_exhausted', {
      message: `This machine lets no more files be opened${written === undefined ? '' : `, ${written} for one`}.`,
      wayOut: 'Raise the limit (ulimit -n 4096), or end programs that hold many files, then run it again.',
      ...o,
      // Unlike that of a server it does not pass while this command waits.
      details: { ...o.details, lasting: true },
    });
  if (written === undefined) return null;
  if (code === 'EROFS')
    return new HangarError('file_unreadable', {
      message: `${written} cannot be written: its file system is read-only.`,
      wayOut: 'Have it mounted for writing; when it became read-only by itself, look at the disk first (dmesg).',
      ...o,
    });
  if (code === 'EACCES' || code === 'EPERM')
    return new HangarError('file_unreadable', {
      message: `${source === undefined || path !== undefined || dest === undefined ? written : `${source} or ${dest}`} cannot be read or written: permission denied.`,
      ...o,
    });
  if (code === 'EIO')
    return new HangarError('file_unreadable', {
      message: `${written} cannot be read or written: the disk answers with an error.`,
      wayOut: 'Look at the disk (dmesg), then run it again.',
      ...o,
    });
  return null;
}

/** Work with a file whose errors name it. */
export const naming = <T>(path: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => Promise.reject(fileTrouble(error, path) ?? error));
