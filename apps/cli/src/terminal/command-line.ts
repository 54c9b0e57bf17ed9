import { shellWord } from '@hangar/contract/shell-words';

type Value = string | number | boolean | readonly string[] | undefined;

/** A command as a person types it: options that were not given are left out. */
export function commandLine(command: string, options: Readonly<Record<string, Value>>): string {
  const words = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    // What begins with a dash would be taken for an option.
    const spelled = (one: string | number) =>
      String(one).startsWith('-') ? `--${name}=${shellWord(String(one))}` : `--${name} ${shellWord(String(one))}`;
    return typeof value === 'object' ? value.map(spelled) : [spelled(value)];
  });
  return [command, ...words].join(' ');
}
