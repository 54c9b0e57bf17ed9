/** What people read, laid out for a terminal; how numbers, times and states are said stands in the contract. */

/** A person; the first admin has no email yet. */
export const personWords = ({ name, email }: { readonly name: string; readonly email: string }): string =>
  email === '' ? name : `${name} (${email})`;

/** Columns beside each other, two spaces apart; the last may be cut to the width, others keep theirs. */
export function table(rows: readonly (readonly string[])[], columns: number): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, width(cell));
    });
  return rows.map((row) => {
    let line = '';
    row.forEach((cell, index) => {
      const last = index === row.length - 1;
      if (last) line += cut(cell, Math.max(10, columns - width(line)));
      else line += cell + ' '.repeat((widths[index] ?? 0) - width(cell) + 2);
    });
    return line.trimEnd();
  });
}

const ANSI = /\u001b\[[0-9;]*m/g;
export const width = (text: string): number => [...text.replace(ANSI, '')].length;

/** Cuts plain text to so many columns; text with colours in it is left alone. */
export function cut(text: string, columns: number): string {
  const letters = [...text];
  if (letters.length <= columns || text.includes('\u001b')) return text;
  return `${letters.slice(0, Math.max(1, columns - 1)).join('')}…`;
}

/** Wraps prose at spaces. */
export function wrap(text: string, columns: number, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/\s+/)) {
    if (line.length > indent.length && width(line) + width(word) + 1 > columns) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  return lines.join('\n');
}
