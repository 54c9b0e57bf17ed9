import { HangarError } from '@hangar/contract/errors';
import { parseBytes, parseDuration } from '@hangar/contract/quantities';

/** Parsers of option values. They throw what was expected; the option's name is added by the caller. */

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`${JSON.stringify(text)} is not a whole number`);
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new Error(`${JSON.stringify(text)} is not a number above 0`);
}

export function seconds(text: string): number {
  const value = parseDuration(text);
  if (value !== null) return value;
  throw new Error(`${JSON.stringify(text)} is not a time like 90s, 15m or 2h`);
}

export function sizeInBytes(text: string): number {
  const value = parseBytes(text);
  if (value !== null) return value;
  throw new Error(`${JSON.stringify(text)} is not a size like 512m or 2g`);
}

/**
 * `NAME=VALUE`, or `NAME` alone to take the value from the environment, where no other user of the machine can read it.
 * @throws HangarError env_invalid
 */
export function readEnv(
  given: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const entry of given) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    const value = at < 0 ? env[name] : entry.slice(at + 1);
    if (!/^(?!HANGAR_|GIT_|LD_|NODE_OPTIONS$)[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(name))
      throw new HangarError('env_invalid', { message: `${JSON.stringify(name)} cannot be a variable of a job.` });
    if (value === undefined)
      throw new HangarError('env_invalid', {
        message: `${name} is not set here.`,
        wayOut: `Set it, or give the value: --env ${name}=VALUE`,
      });
    values[name] = value;
  }
  return values;
}
