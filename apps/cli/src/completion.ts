import { proposeCompletions } from '@stricli/core';
import type { Cli } from './cli.ts';
import { buildProgram } from './command-tree.ts';
import { isGroup, ROOT, walk } from './routes.ts';

/** How long a person waits for live ids after pressing Tab. */
const LIVE_MS = 2500;

/** Answers a shell: a line for each word that could stand here, with what it does after a tab. */
export async function complete(words: readonly string[], cli: Cli): Promise<string> {
  const typed = words.length === 0 ? [''] : words;
  const place = walk(ROOT, typed.slice(0, -1));
  if (isGroup(place.node)) {
    const partial = typed.at(-1) ?? '';
    if (place.rest.length > 0) return '';
    const names = Object.entries(place.node.routes).map(([name, { brief }]): [string, string] => [name, brief]);
    return lines(names.filter(([name]) => name.startsWith(partial)));
  }
  const loaded = await place.node.load();
  const app = buildProgram({ path: place.path, loaded, failed: () => {} });
  const late = new Promise<[]>((resolve) => setTimeout(() => resolve([]), LIVE_MS).unref());
  const found = await Promise.race([
    proposeCompletions(app, [...place.path, ...typed.slice(place.path.length)], cli),
    late,
  ]);
  // Options crowd out the ids unless a dash asks for them.
  const options = typed.at(-1)?.startsWith('-') === true;
  const fitting = found.filter(({ completion }) => options || !completion.startsWith('-'));
  return lines(fitting.map(({ completion, brief }) => [completion, brief]));
}

const lines = (found: readonly (readonly [string, string])[]): string =>
  found.map(([word, brief]) => `${word}\t${brief.replaceAll(/\s+/g, ' ')}\n`).join('');
