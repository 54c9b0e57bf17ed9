/**
 * The worker beside jobs: started in the machine of a sandbox by an execution, with an order in its environment, which nobody else there
 * is shown. It says how it goes on standard output, a line of JSON each. It talks to no server.
 */
import { z } from 'zod';
import { DiffStat, Failure } from '../jobs.ts';
import type { WorkOrder } from './worker.ts';

export type TreeOrder =
  | {
      /** Lays the files of a job out below the folder: its base, and on top of it what its agent changed. */
      readonly kind: 'prepare';
      readonly jobId: string;
      readonly repo: WorkOrder['repo'];
      readonly credential: WorkOrder['credential'];
      /** It has a diff, put where TREE_FILES says. */
      readonly diff: boolean;
    }
  | {
      /** What was changed in a work tree. */
      readonly kind: 'diff';
      /** Becomes the name of the file. */
      readonly id: string;
      /** Any folder in it. */
      readonly path: string;
      /** Where files of a job were laid out, and what they are compared with; null: any work tree, with a commit of its own. */
      readonly prepared: { readonly folder: string; readonly commit: string; readonly tree: string } | null;
      /** HEAD when null. */
      readonly base: string | null;
      readonly maxBytes: number;
    };

const Id = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
const Path = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/)
  .refine((path) => path.isWellFormed());

/** A line that it prints. It comes from the machine: nothing in it is believed but its shape. */
export const TreeWord = z.union([
  z.object({ say: z.string().max(2_000) }),
  z.object({ prepared: z.object({ path: Path, commit: Id, tree: Id }) }),
  z.object({
    made: z.object({
      ...DiffStat.omit({ partial: true }).shape,
      file: Path,
      path: Path,
      commit: Id,
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  }),
  z.object({ failure: Failure }),
]);
export type TreeWord = z.infer<typeof TreeWord>;
