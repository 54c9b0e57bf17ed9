import { z } from 'zod';
import { Done, destroy, read, SandboxId, Time, write } from './shared.ts';
import { PATH_IN_QUERY_MOST } from './text/path-bytes.ts';

/** Entries of a folder that are listed at most. */
export const FOLDER_MOST = 10_000;

const PATH =
  'Absolute, or from where commands begin (the home folder, or the tree of its job); bytes that are no UTF-8 as U+DC00 + byte (PEP 383)';

/** A path in a machine, as `decodePath` makes it of its bytes. */
const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((path) => !path.includes('\0'), 'A path holds no NUL');
const Path = text(4096).describe(PATH);

/** In an address a path is text, or base64 of its bytes where these are no UTF-8 or many. Without either: where commands begin. */
const inQuery = {
  sandbox: SandboxId,
  path: text(PATH_IN_QUERY_MOST)
    .optional()
    .describe('Absolute, or from where commands begin (the home folder, or the tree of its job); that when left out'),
  pathBase64: z
    .string()
    .min(1)
    .max(5464)
    .regex(/^[A-Za-z0-9_-]+={0,2}$/, 'Base64url')
    .optional()
    .describe('The bytes of the path, in place of path: of any bytes, and longer'),
};
export const FileQuery = z.object(inQuery);

const Mode = z.number().int().min(0).max(0o7777).describe('Permission bits as a number: 420 is 0644');

export const FileEntry = z.object({
  name: z.string().describe('Bytes that are no UTF-8 as U+DC00 + byte (PEP 383)'),
  type: z.enum(['file', 'folder', 'link', 'other']),
  size: z.number().int().describe('Bytes'),
  mode: Mode,
  modifiedAt: Time,
  target: z.string().nullable().describe('Where a link points to, as it is written in it'),
});
export type FileEntry = z.infer<typeof FileEntry>;

export const Folder = z.object({
  path: z.string().describe('Absolute'),
  entries: z.array(FileEntry).describe('Folders first, each by name'),
  more: z.boolean().describe(`There are more than the ${FOLDER_MOST} that are listed`),
});
export type Folder = z.infer<typeof Folder>;

export const FileAt = FileEntry.extend({ path: z.string().describe('Absolute') });
export type FileAt = z.infer<typeof FileAt>;

export const FileReadQuery = FileQuery.extend({
  download: z.stringbool().default(false).describe('As a file; else as text to look at'),
  length: z.coerce.number().int().min(0).optional().describe('No more than so many bytes'),
});
export const FileWriteQuery = FileQuery.extend({
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, 'Permission bits in octal, like 644')
    .optional()
    .describe('In octal, like 644; that of the file that is replaced when left out'),
});

const atPath = z.object({ sandbox: SandboxId, path: Path });

export const files = {
  list: read({ none: 'sandbox exec ID -- ls does it.' })
    .route({ method: 'GET', path: '/drivers/files', summary: 'What is in a folder of a sandbox' })
    .input(FileQuery)
    .output(Folder),
  stat: read({ none: 'sandbox exec ID -- stat does it.' })
    .route({ method: 'GET', path: '/drivers/files/stat', summary: 'A file or folder of a sandbox; links as they are' })
    .input(FileQuery)
    .output(FileAt),
  makeFolder: write({ none: 'sandbox exec ID -- mkdir -p does it.' }, { idempotent: true })
    .route({
      method: 'POST',
      path: '/drivers/files/folder',
      summary: 'Make a folder in a sandbox, with those above it; one that is there is fine',
    })
    .input(atPath)
    .output(Done),
  move: write({ none: 'sandbox exec ID -- mv does it.' }, { idempotent: false })
    .route({
      method: 'POST',
      path: '/drivers/files/move',
      summary: 'Move or rename a file or folder of a sandbox; a file that is there is replaced',
    })
    .input(atPath.extend({ to: Path }))
    .output(Done),
  remove: destroy({ none: 'sandbox exec ID -- rm does it.' })
    .route({
      method: 'DELETE',
      path: '/drivers/files',
      summary: 'Remove a file or folder of a sandbox; what is not there is fine',
    })
    .input(atPath.extend({ recursive: z.boolean().default(false).describe('A folder with all that is in it') }))
    .output(Done),
};
