/** What server and worker call alike where it works on a tree in a sandbox. No schema: the worker carries none. */

/** The variable with a TreeOrder as JSON. */
export const TREE_ORDER = 'HANGAR_TREE_ORDER';

/** Below the folder of the order: where what it needs was put, and where a diff is left. */
export const TREE_FILES = { bundle: 'run/bundle', patch: 'run/patch', diff: 'run/job-diff', made: 'diffs' } as const;
