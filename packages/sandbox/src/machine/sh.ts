/** A script in a template. `$\{name}` in it is a variable of the shell; what TypeScript puts in is another such script. */
export const sh = (text: TemplateStringsArray, ...scripts: string[]): string =>
  String.raw({ raw: text.raw.map((part) => part.replaceAll('$\\{', '$' + '{')) }, ...scripts);

/** One word in quotes. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
