/** Numbers and times in the words people read. */

/** Seconds → `3 min 4 s`; below 10 s with a tenth. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 9.95 && Math.abs(seconds - Math.round(seconds)) >= 0.05)
    return `${seconds.toFixed(1)} s`;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

/** Bytes → `1.2 GB` (powers of 1000). */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = 'B';
  for (const next of units) {
    if (value < 999.95) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** A time as people say it from now: `2 min ago`, `in 3 h`. */
export function ago(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (Math.abs(seconds) < 5) return 'just now';
  const [size, unit] = coarse(Math.abs(seconds));
  return seconds > 0 ? `${size} ${unit} ago` : `in ${size} ${unit}`;
}

function coarse(seconds: number): [number, string] {
  if (seconds < 90) return [Math.round(seconds), 's'];
  if (seconds < 90 * 60) return [Math.round(seconds / 60), 'min'];
  if (seconds < 36 * 3600) return [Math.round(seconds / 3600), 'h'];
  return [Math.round(seconds / 86_400), 'd'];
}

export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;

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
