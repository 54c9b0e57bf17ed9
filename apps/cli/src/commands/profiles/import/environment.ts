import { HangarError } from '@hangar/contract/errors';

/** Settings by the variables that the tools of a provider read. The first is the key. @throws HangarError input_required without it */
export function settingsFrom(
  env: Readonly<Record<string, string | undefined>>,
  variables: readonly (readonly [setting: string, variable: string])[],
): Record<string, string> {
  const [[, key] = ['', '']] = variables;
  const settings = Object.fromEntries(
    variables.flatMap(([setting, variable]) => {
      const value = env[variable]?.trim();
      return value ? [[setting, value]] : [];
    }),
  );
  if (env[key]?.trim()) return settings;
  throw new HangarError('input_required', {
    message: `${key} is not set.`,
    wayOut: `Set it, or: hangar profiles create NAME --driver ${key.split('_')[0]?.toLowerCase()} --key FILE`,
  });
}
