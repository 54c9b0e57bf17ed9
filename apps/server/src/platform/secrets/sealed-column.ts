/** The place a sealed value belongs to. Copied anywhere else, it does not open. */
export interface Binding {
  readonly table: string;
  /** Whose row it is: a user, or `server`. */
  readonly owner: string;
  readonly row: string;
  readonly field: string;
}

/** Where sealed values are kept. Each feature names its own, so that a new master key finds them all. Names of ours, never input. */
export interface SealedColumn {
  readonly table: string;
  /** The column that tells rows apart. */
  readonly id: string;
  readonly column: string;
  /** The column with the owner that the values are bound to, where it is not the server. */
  readonly owner?: string;
  /** The column is JSON, and of all rows only this one is sealed. */
  readonly onlyJson?: string;
  readonly bindingOf: (row: { readonly id: string; readonly owner: string }) => Binding;
}

/** Sealed values that lie outside of the database. What is there under a name changes for a new master key alone. */
export interface SealedElsewhere {
  /** What they are, for people: `secrets of profiles`. */
  readonly what: string;
  names(): Promise<readonly string[]>;
  get(name: string): Promise<string | null>;
  put(name: string, sealed: string): Promise<void>;
  readonly bindingOf: (name: string) => Binding;
}

/** A setting that is sealed. */
export const sealedSetting = (key: string): SealedColumn => ({
  ...{ table: 'setting', id: 'key', column: 'value', onlyJson: key },
  bindingOf: () => settingBinding(key),
});

export const settingBinding = (key: string): Binding => ({
  table: 'setting',
  owner: 'server',
  row: key,
  field: 'value',
});
