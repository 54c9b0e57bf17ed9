/** Words as a POSIX shell would be given them; what needs no quotes gets none. */
export const shellCommand = (words: readonly string[]): string => words.map(shellWord).join(' ');

export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
