/** Words as they are typed into a shell; what needs no quotes gets none. */
export const shellCommand = (words: readonly string[]): string => words.map(shellWord).join(' ');

/** One word that no shell takes apart, expands or matches with files: sh, bash, and zsh, to which `=name` is a path. */
export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
