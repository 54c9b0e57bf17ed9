import { GLOBAL_FLAG_NAMES, type LoadedCommand } from './command.ts';
import type { Group } from './routes.ts';
import type { Terminal } from './terminal/terminal.ts';
import { wrap } from './terminal/words.ts';

type Look = Pick<Terminal, 'color' | 'columns'>;

/** The page of a command: examples that work when pasted first, then usage, options, and what --json prints. */
export function helpOfCommand(path: readonly string[], loaded: LoadedCommand, { color, columns }: Look): string {
  const width = Math.min(columns, 100);
  const { command, examples, about, json, brief } = loaded;
  const name = ['hangar', ...path].join(' ');
  const parts: string[] = [];

  const lines = examples.map(([line]) => `hangar ${line}`);
  const longest = Math.max(...lines.map((line) => line.length));
  const beside = examples.every(([, does]) => longest + does.length + 8 <= width);
  parts.push(
    ...examples.map(([, does], index) => {
      const line = lines[index] ?? '';
      const says = color.dim(`# ${does}`);
      return beside ? `  $ ${line.padEnd(longest)}  ${says}` : `  $ ${line}\n      ${says}`;
    }),
    '',
    `${brief}.`,
  );
  for (const paragraph of about ?? []) parts.push('', wrap(paragraph, width));

  const positional = command.parameters.positional;
  const args =
    positional === undefined
      ? []
      : positional.kind === 'array'
        ? [{ parameter: positional.parameter, many: true, needed: (positional.minimum ?? 0) > 0 }]
        : positional.parameters.map((parameter) => ({ parameter, many: false, needed: !parameter.optional }));
  const argWords = args.map(({ parameter, many, needed }) => {
    const word = `${parameter.placeholder ?? 'ARG'}${many ? '…' : ''}`;
    return needed ? word : `[${word}]`;
  });
  parts.push('', `${color.bold('Usage')}\n  ${[name, '[options]', ...argWords].join(' ')}`);
  if (args.length > 0)
    parts.push(
      '',
      color.bold('Arguments'),
      ...columnsOf(
        args.map(({ parameter }) => [parameter.placeholder ?? 'ARG', parameter.brief]),
        width,
      ),
    );

  const flags = Object.entries(command.parameters.flags ?? {}).filter(([, flag]) => !('hidden' in flag && flag.hidden));
  const letters = Object.entries(command.parameters.aliases ?? {});
  const rows = flags.map(([flagName, flag]): [string, string, boolean] => {
    const letter = letters.find(([, target]) => target === flagName)?.[0];
    const words = flag.kind === 'enum' ? flag.values.join('|') : '';
    const long = words.length > 24;
    const value =
      flag.kind === 'boolean' || flag.kind === 'counter'
        ? ''
        : ` ${words !== '' && !long ? words : (flag.placeholder ?? 'VALUE')}`;
    const choice = long ? `: ${words.replaceAll('|', ', ')}` : '';
    const many = 'variadic' in flag && flag.variadic ? ' (may be repeated)' : '';
    return [
      `${letter === undefined ? '    ' : `-${letter}, `}--${kebab(flagName)}${value}`,
      `${flag.brief}${choice}${many}`,
      GLOBAL_FLAG_NAMES.has(flagName),
    ];
  });
  const own = rows.filter(([, , everywhere]) => !everywhere);
  const general = rows.filter(([, , everywhere]) => everywhere);
  if (own.length > 0) parts.push('', color.bold('Options'), ...columnsOf(own, width));
  parts.push(
    '',
    color.bold('Options of every command'),
    ...columnsOf([...general, ['-h, --help', 'Show this page']], width),
  );
  parts.push('', color.bold('JSON'), wrap(json, width, '  '));
  return `${parts.join('\n')}\n`;
}

export function helpOfGroup(path: readonly string[], group: Group, { color, columns }: Look): string {
  const width = Math.min(columns, 100);
  const name = ['hangar', ...path].join(' ');
  const rows = Object.entries(group.routes).map(([word, node]): [string, string] => [word, node.brief]);
  const parts =
    path.length === 0
      ? [
          `  $ hangar run --cloud --spec add-search.md   ${color.dim('# send the work, get an id')}`,
          `  $ hangar pull                               ${color.dim('# apply the diff it made')}`,
          '',
        ]
      : [];
  parts.push(`${group.brief}.`, '', `${color.bold('Usage')}\n  ${name} COMMAND [options]`, '', color.bold('Commands'));
  parts.push(...columnsOf(rows, width));
  if (group.fallback !== undefined) parts.push('', `Without a command: ${group.fallback}.`);
  parts.push('', `${name} COMMAND --help shows examples and options.`);
  return `${parts.join('\n')}\n`;
}

export const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function columnsOf(rows: readonly (readonly [string, string, ...unknown[]])[], width: number): string[] {
  const left = Math.min(28, Math.max(...rows.map(([word]) => word.length)) + 2);
  return rows.map(([word, brief]) => {
    const indent = ' '.repeat(left + 2);
    const body = wrap(brief, width, indent).slice(indent.length);
    return word.length + 2 > left ? `  ${word}\n${indent}${body}` : `  ${word.padEnd(left)}${body}`;
  });
}
