const HANGAR = 0x68616e67; // "hang", so that our advisory locks meet nobody else's

/** Every advisory lock of the server that is not about one row. */
export const LOCKS = {
  migrate: [HANGAR, 1],
  dataDir: [HANGAR, 2],
  testTemplate: [HANGAR, 3],
  /** Held alone by a backup, shared by whoever removes bytes that a backup may still have to copy. */
  backup: [HANGAR, 4],
} as const satisfies Record<string, readonly [number, number]>;
