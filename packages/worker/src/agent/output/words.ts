import type { Usage } from '@hangar/contract';
import { usageWords } from '@hangar/contract/words/resources';
import { formatDuration } from '@hangar/contract/words/time';
import { type Json, text } from './event.ts';

const MAX_DETAIL = 200;
const FAILURE_LINES = 5;

/** Fields of a tool's input that tell most, the first that is there. */
const TELLING = [
  'command',
  'cmd',
  'file_path',
  'filePath',
  'notebook_path',
  'pattern',
  'query',
  'url',
  'path',
  'description',
  'prompt',
  'name',
];

/** `▸ Bash: npm test`, `▸ Edit src/a.ts`. Paths in the work tree are shown from there. */
export function toolStep(tool: string, input: Json, tree: string): string {
  const patched = patchedFiles(text(input.patchText) || text(input.patch) || text(input.input));
  if (patched !== '') return `▸ ${tool} ${patched}`;
  const field = TELLING.find((name) => text(input[name]).trim() !== '');
  if (field === undefined) return `▸ ${tool}`;
  const isPath = /path$/i.test(field);
  return `▸ ${tool}${isPath ? '' : ':'} ${shortened(text(input[field]), tree)}`;
}

/** The first line of a text, cut; with a mark when there is more. */
export function shortened(value: string, tree: string): string {
  const [first = '', ...rest] = value.trim().replaceAll(`${tree}/`, '').split('\n');
  const line = first.length > MAX_DETAIL ? `${first.slice(0, MAX_DETAIL)}…` : first;
  return rest.length > 0 ? `${line} … (${rest.length} more ${rest.length === 1 ? 'line' : 'lines'})` : line;
}

/** `✗ ` and the first lines of what went wrong. */
export function failure(words: string): string[] {
  const lines = words.trim().split('\n');
  const [first = '', ...rest] = lines.slice(0, FAILURE_LINES);
  const more = lines.length - FAILURE_LINES;
  return [
    `  ✗ ${first === '' ? 'failed' : first}`,
    ...rest.map((line) => `    ${line}`),
    ...(more > 0 ? [`    … ${more} more ${more === 1 ? 'line' : 'lines'}`] : []),
  ];
}

/** `Used 4,600 tokens in (1,200 cached), 80 out, $0.0154, 4 turns, 12.3 s` */
export function spent(usage: Usage, milliseconds: number | null): string {
  const took = milliseconds === null ? '' : `, ${formatDuration(milliseconds)}`;
  return `Used ${usageWords({ ...usage, model: null })}${took}`;
}

/** Thoughts of the model, set apart from what it says. */
export const thought = (words: string): string[] =>
  words.trim() === ''
    ? []
    : words
        .trim()
        .split('\n')
        .map((line) => `· ${line}`);

/** Whether words of a model's server mean that it did not accept the key. */
export const meansRefused = (words: string): boolean =>
  /\b401\b|unauthori[sz]ed|unauthenticated|authentication[ _](error|failed)|invalid.{0,10}\bapi[- ]?key/i.test(words);

function patchedFiles(patch: string): string {
  const names = [...patch.matchAll(/^\*\*\* (?:Add|Update|Delete) File: (.{1,300})$/gm)].map(([, name]) => name);
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}
