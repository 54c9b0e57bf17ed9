import { z } from 'zod';

/** What a backup file is: a gzip-packed tar of these parts, in this order. `tar tzf` lists it. */
export const PARTS = {
  head: 'hangar-backup.json',
  /** Rows as JSON, a row a line: tables/<table>/<n>.ndjson */
  tables: 'tables/',
  /** blobs/<key> */
  blobs: 'blobs/',
  /** Name, size and hash of the parts before it, a part a line: index/<n>.ndjson */
  index: 'index/',
  manifest: 'manifest.json',
} as const;

export const FORMAT = 1;
/** Parts that one index names: what a reader has to remember until it comes. */
export const INDEX_PARTS = 1000;

export const Head = z.object({
  format: z.number().int(),
  version: z.string().describe('The Hangar that made it'),
  createdAt: z.string(),
  migrations: z.array(z.object({ hash: z.string(), createdAt: z.number() })).min(1),
  tables: z.array(z.object({ name: z.string(), columns: z.array(z.string()) })),
  canary: z.string().describe('Sealed with the master key, to tell the right one'),
});
export type Head = z.infer<typeof Head>;

export const IndexLine = z.object({ name: z.string(), sizeBytes: z.number(), sha256: z.string() });
export type IndexLine = z.infer<typeof IndexLine>;

export const Manifest = z.object({
  tables: z.record(z.string(), z.number()).describe('Rows of each table'),
  jobs: z.number(),
  files: z.number(),
  fileBytes: z.number(),
  damaged: z.array(z.string()).describe('Files that the store had lost or changed before; the first hundred'),
  damagedFiles: z.number(),
  index: z.array(z.object({ name: z.string(), sha256: z.string() })),
});
export type Manifest = z.infer<typeof Manifest>;
