import { type DriverName, NewProfile } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../../cli.ts';
import { type GlobalFlags, globalFlags, text, yes } from '../../../command.ts';
import { parseInput } from '../../../terminal/parse-input.ts';
import { PROFILE_JSON, showProfile } from '../profile-words.ts';

export interface ImportFlags extends GlobalFlags {
  readonly name?: string | undefined;
  readonly personal: boolean;
  readonly default: boolean;
}

/** What all imports take. */
export const importFlags = {
  name: text('Name of the profile; made from what is imported when left out', 'NAME'),
  personal: yes('For you alone, also when you are an admin'),
  default: yes('Make it the default'),
  ...globalFlags,
} as const;

export const IMPORT_JSON = PROFILE_JSON;

/** Makes the profile and shows it. */
export async function makeImported(
  cli: Cli,
  flags: ImportFlags,
  { driver, from, settings }: { driver: DriverName; from: string; settings: Readonly<Record<string, unknown>> },
): Promise<void> {
  const name = flags.name ?? nameFrom(from);
  const wish = parseInput(NewProfile, {
    ...{ name, driver, settings, limits: {}, isDefault: flags.default },
    ...(flags.personal ? { personal: true } : {}),
  });
  const { client } = await cli.api(flags.server);
  const profile = await client.profiles.create(wish);
  if (flags.json) return cli.terminal.json(profile);
  showProfile(cli, profile);
  cli.terminal.next(`hangar profiles test ${name}`);
}

/** @throws HangarError usage when nothing is left of it */
function nameFrom(from: string): string {
  const name = from
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (name !== '') return name;
  throw new HangarError('usage', { message: `No name can be made from ${from}.`, wayOut: 'Give one: --name NAME' });
}

/** What an import found that no field of a profile can hold. */
export const cannotBe = (what: string, found: string, wayOut: string): HangarError =>
  new HangarError('usage', { message: `${what} cannot be imported: ${found}.`, wayOut });
