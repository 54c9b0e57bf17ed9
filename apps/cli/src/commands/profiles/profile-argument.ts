import type { Cli } from '../../cli.ts';

/** The argument that names a profile. Apart from what holds settings against schemas: most commands need only the name. */
export const profileArgument = {
  parse: String,
  placeholder: 'NAME',
  async proposeCompletions(this: Cli): Promise<readonly string[]> {
    try {
      return (await (await this.api(undefined)).client.profiles.list({})).items.map(({ name }) => name);
    } catch {
      return [];
    }
  },
} as const;
