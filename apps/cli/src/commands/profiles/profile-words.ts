import { type Profile, ProfileLimits } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { limitWords } from '@hangar/contract/words/resources';
import { sizeInWords } from '@hangar/contract/words/size';
import type { Cli } from '../../cli.ts';
import { checkOptions } from '../../terminal/check-options.ts';
import { positiveNumber, sizeInBytes, wholeNumber } from '../../terminal/numbers.ts';

/** What --json prints of a profile. */
export const PROFILE_FIELDS =
  '{"name", "driver", "personal", "settings", "secrets", "limits", "isDefault", "createdAt", "jobsRunning"}';
export const PROFILE_JSON = `The profile: ${PROFILE_FIELDS}; of secrets only which are set.`;

/** Options for limits and settings, the same for create and update. */
export const profileFlags = {
  set: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    brief: 'Setting of the driver (see hangar profiles drivers); a list as JSON',
    placeholder: 'KEY=VALUE',
  },
  host: {
    kind: 'parsed',
    parse: String,
    optional: true,
    brief: 'The machine or Engine, the same as --set host=HOST',
    placeholder: 'HOST',
  },
  cpus: { kind: 'parsed', parse: positiveNumber, optional: true, brief: 'CPU cores a job gets', placeholder: 'N' },
  memory: {
    kind: 'parsed',
    parse: sizeInBytes,
    optional: true,
    brief: 'Memory a job gets, like 2g',
    placeholder: 'SIZE',
  },
  pids: { kind: 'parsed', parse: wholeNumber, optional: true, brief: 'Processes a job may have', placeholder: 'N' },
  jobsAtOnce: {
    kind: 'parsed',
    parse: wholeNumber,
    optional: true,
    brief: 'Jobs that run on it at the same time',
    placeholder: 'N',
  },
} as const;

export interface ProfileFlags {
  readonly set?: readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly cpus?: number | undefined;
  readonly memory?: number | undefined;
  readonly pids?: number | undefined;
  readonly jobsAtOnce?: number | undefined;
}

export const limitsOf = ({ cpus, memory, pids, jobsAtOnce }: ProfileFlags): Profile['limits'] => ({
  ...(cpus === undefined ? {} : { cpus }),
  ...(memory === undefined ? {} : { memoryBytes: memory }),
  ...(pids === undefined ? {} : { pids }),
  ...(jobsAtOnce === undefined ? {} : { jobsAtOnce }),
});

/** @throws HangarError usage, before anything is sent */
export function checkLimits(command: string, { cpus, memory, pids, jobsAtOnce }: ProfileFlags): void {
  const { shape } = ProfileLimits;
  checkOptions(command, [
    { flag: '--cpus', value: cpus, schema: shape.cpus },
    { flag: '--memory', value: memory, schema: shape.memoryBytes, shown: sizeInWords },
    { flag: '--pids', value: pids, schema: shape.pids },
    { flag: '--jobs-at-once', value: jobsAtOnce, schema: shape.jobsAtOnce },
  ]);
}

/** `KEY=VALUE` pairs; the server checks them against the driver. @throws HangarError usage */
export function settingsOf({ set = [], host }: ProfileFlags): Record<string, unknown> {
  const pairs = set.map((pair): [string, unknown] => {
    const at = pair.indexOf('=');
    if (at < 1)
      throw new HangarError('usage', {
        message: `${JSON.stringify(pair)} is not KEY=VALUE.`,
        wayOut: 'See: hangar profiles drivers',
      });
    const value = pair.slice(at + 1);
    return [pair.slice(0, at), value === 'true' ? true : value === 'false' ? false : (listIn(value) ?? value)];
  });
  return { ...Object.fromEntries(pairs), ...(host === undefined ? {} : { host }) };
}

/** A list as JSON, like readable=["/opt/agents"]; null when it is none. */
function listIn(value: string): unknown[] | null {
  if (!value.startsWith('[')) return null;
  try {
    const list: unknown = JSON.parse(value);
    return Array.isArray(list) ? list : null;
  } catch {
    return null;
  }
}

export function showProfile(cli: Cli, profile: Profile): void {
  const { terminal } = cli;
  const { color } = terminal;
  const said = [...(profile.personal ? ['yours'] : []), ...(profile.isDefault ? ['default'] : [])].join(', ');
  terminal.out(`${color.bold(profile.name)}${said === '' ? '' : ` (${said})`}`);
  const rows: [string, string][] = [
    ['Driver', profile.driver],
    ['Limits', limitWords(profile.limits) ?? 'no limits'],
    ['Running', String(profile.jobsRunning)],
    ...Object.entries(profile.settings).map(([key, value]): [string, string] => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
    ...Object.entries(profile.secrets).map(([key, isSet]): [string, string] => [key, isSet ? 'set' : 'not set']),
  ];
  const left = Math.max(...rows.map(([key]) => key.length)) + 2;
  for (const [key, value] of rows) terminal.out(`${color.dim(key.padEnd(left))}${value}`);
}
