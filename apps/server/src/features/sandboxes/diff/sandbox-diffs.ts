import type { Readable } from 'node:stream';
import type { SandboxDiff } from '@hangar/contract';
import type { Trees } from '../acts/trees.ts';
import type { OwnMachines, Person } from '../files/own-machine.ts';
import type { SandboxFiles } from '../files/sandbox-files.ts';
import type { PeopleOfSandboxes } from '../needs.ts';

export type SandboxDiffs = ReturnType<typeof createSandboxDiffs>;

/** What was changed in git trees of one's own sandboxes. */
export function createSandboxDiffs({
  own,
  files,
  people,
  trees,
}: {
  readonly own: OwnMachines;
  readonly files: Pick<SandboxFiles, 'absolute'>;
  readonly people: Pick<PeopleOfSandboxes, 'planOf'>;
  readonly trees: Pick<Trees, 'diff' | 'read'>;
}) {
  const mostOf = async ({ userId }: Person): Promise<number> => (await people.planOf(userId)).maxArtifactBytes;

  return {
    /** @throws HangarError git_tree_missing, quota_artifacts, what reaching a machine throws */
    async make(
      person: Person,
      { id, path = '', base }: { id: string; path?: string | undefined; base?: string | undefined },
      signal: AbortSignal,
    ): Promise<SandboxDiff> {
      const hand = await own.enter(person, id, signal);
      const row = await own.row(person, id);
      const stop = own.inUse(id);
      try {
        const [at, maxBytes] = await Promise.all([files.absolute(row, hand, path, signal), mostOf(person)]);
        return await trees.diff(row, hand, { path: at, base: base ?? null, maxBytes }, signal);
      } finally {
        stop();
      }
    },
    /** @throws HangarError diff_expired */
    async read(person: Person, id: string, diff: string, signal: AbortSignal): Promise<Readable> {
      const hand = await own.enter(person, id, signal);
      const stop = own.inUse(id);
      try {
        const body = await trees.read(hand, diff, { signal, maxBytes: await mostOf(person) });
        body.once('close', stop);
        return body;
      } catch (error) {
        stop();
        throw error;
      }
    },
  };
}
