import type { SettingsStore } from '../database/index.ts';
import type { Binding, Secrets } from './secrets.ts';

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

/** A secret of this installation that all its servers share, made when nobody has yet. Its column is `sealedSetting(key)`. */
export async function sealedValue(
  { settings, secrets }: { readonly settings: SettingsStore; readonly secrets: Secrets },
  key: string,
  make: () => string,
): Promise<string> {
  const binding = settingBinding(key);
  return secrets.open(String(await settings.getOrSet(key, secrets.seal(make(), binding))), binding).reveal();
}
