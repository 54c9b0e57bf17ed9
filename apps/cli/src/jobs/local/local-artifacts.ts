import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ARTIFACT_PREFIX, diffFileOf, type KeptRun } from './local-runs.ts';

export interface LocalArtifact {
  readonly name: string;
  readonly kind: 'diff' | 'file';
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly partial: boolean;
  readonly createdAt: string;
  readonly file: string;
}

/** What a run on this machine has left, the diff first. */
export async function localArtifacts(run: KeptRun): Promise<LocalArtifact[]> {
  const { folder } = run;
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(ARTIFACT_PREFIX)).sort();
  const diff = diffFileOf(run);
  const partial = run.diff?.partial === true;
  return Promise.all([
    ...(diff === null ? [] : [describe('diff', 'diff', diff, partial)]),
    ...names.map((name) => describe(name.slice(ARTIFACT_PREFIX.length), 'file', join(folder, name), false)),
  ]);
}

async function describe(
  name: string,
  kind: LocalArtifact['kind'],
  file: string,
  partial: boolean,
): Promise<LocalArtifact> {
  const { size, mtime } = await stat(file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const contentType = kind === 'diff' ? 'text/x-diff' : 'application/octet-stream';
  const createdAt = mtime.toISOString();
  return { name, kind, contentType, sizeBytes: size, sha256: hash.digest('hex'), partial, createdAt, file };
}
