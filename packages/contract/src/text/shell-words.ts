/** Words as they are typed into a shell; what needs no quotes gets none. */
export const shellCommand = (words: readonly string[]): string => words.map(shellWord).join(' ');

/** One word that no shell takes apart, expands or matches with files: sh, bash, and zsh, to which `=name` is a path. */
export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * A command of the contract as words. `{name}` is a value, `[--flag {name}]` is there where the value is, once for each of a list,
 * `[--flag]` where the value of that name is true.
 */
export function commandWords(template: string, values: Readonly<Record<string, unknown>>): string[] {
  const given = (name: string): string[] =>
    [values[name]].flat().flatMap((value) => (value === undefined || value === null ? [] : String(value)));
  return (template.match(/\[[^\]]+\]|\S+/g) ?? []).flatMap((part) => {
    const [, flag = '', name] = /^\[(--[\w-]+)(?: \{(\w+)\})?\]$/.exec(part) ?? [];
    if (name !== undefined) return given(name).flatMap((value) => [flag, value]);
    if (flag !== '') return values[flag.slice(2)] === true ? [flag] : [];
    return /^\{\w+\}$/.test(part) ? given(part.slice(1, -1)) : [part];
  });
}
