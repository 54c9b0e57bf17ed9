import type { LogLine } from '@hangar/contract';
import { clean } from '../../terminal/ansi.ts';
import { plainJson, type Terminal } from '../../terminal/terminal.ts';

export interface LogLook {
  /** A JSON object a line instead of text. */
  readonly json: boolean;
  readonly timestamps: boolean;
  /** Lines of stderr and of Hangar itself go to stderr. */
  readonly split: boolean;
  /** Everything goes to stderr, because stdout carries something else. */
  readonly aside?: boolean;
}

/** Prints log lines: colours of the job on a terminal, plain text on a pipe, control sequences nowhere. */
export function logPrinter(
  terminal: Terminal,
  look: LogLook,
): (lines: readonly Pick<LogLine, 'at' | 'stream' | 'text'>[]) => Promise<void> {
  const goesAside = (stream: LogLine['stream']) => look.aside === true || (look.split && stream !== 'stdout');
  const draw = (line: Pick<LogLine, 'at' | 'stream' | 'text'>, aside: boolean): string => {
    const color = aside ? terminal.errColor : terminal.color;
    const colors = color.bold('') !== '';
    const text = clean(line.text, colors);
    const time = look.timestamps ? `${color.dim(line.at)} ` : '';
    // A colour of our own has to come back after each reset in the line.
    if (line.stream === 'stderr')
      return `${time}${colors ? color.red(text.replaceAll('\u001b[0m', '\u001b[0m\u001b[31m')) : text}\n`;
    if (line.stream === 'system') return `${time}${color.dim(`» ${text}`)}\n`;
    return `${time}${text}\n`;
  };
  return async (lines) => {
    if (look.json) return terminal.write(lines.map((line) => `${plainJson(JSON.stringify(line))}\n`).join(''));
    let out = '';
    let err = '';
    for (const line of lines) {
      const aside = goesAside(line.stream);
      if (aside) err += draw(line, true);
      else {
        // Order matters more than few writes when both end on one screen.
        if (err !== '') {
          await terminal.writeErr(err);
          err = '';
        }
        out += draw(line, false);
        continue;
      }
      if (out !== '') {
        await terminal.write(out);
        out = '';
      }
    }
    if (out !== '') await terminal.write(out);
    if (err !== '') await terminal.writeErr(err);
  };
}
