import { jobsRestored } from './features/jobs/index.ts';
import { sandboxesRestored } from './features/sandboxes/index.ts';
import type { Load } from './platform/database/index.ts';

/** What each noun makes of its rows when a backup becomes another server: how many had to end, and how many still wait. */
export const RESTORED: readonly ((load: Load) => Promise<{ lost: number; queued: number }>)[] = [
  jobsRestored,
  sandboxesRestored,
];
