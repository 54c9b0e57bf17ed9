/** Words as they are typed into a shell; what needs no quotes gets none. */
export const shellCommand = (words: readonly string[]): string => words.map(shellWord).join(' ');

/** One word that no shell takes apart, expands or matches with files: sh, bash, and zsh, to which `=name` is a path. */
export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * A command of the contract as words. `{name}` is a value, `{a.b}` the `b` of `a`. `[--flag {name}]` is there where the value is,
 * once for each of a list and for each name of a record; `[--flag]` where the value of that name is true, `[--flag {name=false}]`
 * where it is false. Behind a `--` of its own stands a list that is another program's, or neither.
 */
export function commandWords(template: string, values: Readonly<Record<string, unknown>>): string[] {
  const given = (path: string): string[] => {
    const value = path
      .split('.')
      .reduce((of: unknown, name) => (of as Record<string, unknown> | undefined)?.[name], values);
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
    // What stands behind the names of variables is secret.
    return (isRecord ? Object.keys(value) : [value].flat()).flatMap((one) =>
      one === undefined || one === null ? [] : String(one),
    );
  };
  const parts: readonly string[] = template.match(/\[[^\]]+\]|\S+/g) ?? [];
  const named = (part: string): string[] | null => (/^\{[\w.]+\}$/.test(part) ? given(part.slice(1, -1)) : null);
  const optional = (part: string): string[] => {
    const [, flag = '', path, wanted] = /^\[(--[\w-]+)(?: \{([\w.]+)(?:=(\w+))?\})?\]$/.exec(part) ?? [];
    if (path !== undefined && wanted === undefined)
      return given(path).flatMap((value) => (value.startsWith('-') ? `${flag}=${value}` : [flag, value]));
    if (flag === '') return [part];
    return given(path ?? flag.slice(2)).includes(wanted ?? 'true') ? [flag] : [];
  };
  const end = parts.indexOf('--');
  const before = end < 0 ? parts : parts.slice(0, end);
  const listed = parts.slice(before.length + 1).flatMap((part) => values[part.slice(1, -1)] ?? []);
  const behind = listed.flatMap((value) => (typeof value === 'string' ? value : []));
  const all = before.flatMap((part) => named(part) ?? []);
  if (!all.some((value) => value.startsWith('-')))
    return [
      ...before.flatMap((part) => named(part) ?? optional(part)),
      ...(behind.length > 0 ? ['--', ...behind] : []),
    ];
  // What begins with a dash would be taken for an option; behind -- there are none.
  return [...before.flatMap((part) => (named(part) === null ? optional(part) : [])), ...['--', ...all, ...behind]];
}
