import type { ActivityMessage } from '@hangar/contract';
import type { Tx } from './database/index.ts';

/** Something that is said on the activity bus: what is being done, by whom, and how far it is. */
export interface Publication {
  readonly activityId: string;
  readonly message: ActivityMessage;
  readonly at: Date;
  readonly actor: { readonly id: string | null; readonly name: string };
  readonly correlationId: string | null;
}

/** Within the caller's transaction, so that what is said and what was done commit together. Saying a step twice changes nothing. */
export type Publish = (tx: Tx, publications: readonly Publication[]) => Promise<void>;
