import type { Job } from '@hangar/contract';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { failed as failedLoad, live, loading, refetching } from '../../gallery/samples.ts';
import type { DiffContent } from '../diff/diff-view.tsx';
import { parseDiff } from '../diff/parse-diff.ts';
import * as samples from '../jobs/samples.ts';
import { CompareView, type CompareViewProps } from './compare-view.tsx';

const file = (name: string, lines: readonly string[]): string =>
  `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n@@ -1,2 +1,${lines.length + 1} @@\n export const notes = [];\n${lines.map((line) => `+${line}\n`).join('')}`;
const diff = (...files: string[]): Loadable<DiffContent> => live({ files: parseDiff(files.join('')), drawable: true });

const LIST = file('src/notes/list.ts', ["import { search } from './search.ts';"]);
const SHORT = file('src/notes/search.ts', [
  'export const search = (text: string) => notes.filter((note) => note.title.includes(text));',
]);
const LONG = file('src/notes/search.ts', [
  'export function search(text: string): Note[] {',
  '  const words = text.toLowerCase().split(" ");',
  '  return notes.filter((note) => words.every((word) => note.body.includes(word)));',
  '}',
]);
const TEST = file('src/notes/a-folder-with-a-long-name/search.test.ts', ["it('finds', () => {});"]);

const GROUP = 'add-search-7k2m';
const job = (of: Job, more: Partial<Job>): Job => ({ ...of, group: GROUP, ...more });
const usage = {
  inputTokens: 182_400,
  cachedInputTokens: null,
  outputTokens: 9_120,
  costUsd: 0.71,
  model: null,
  turns: 21,
};

const ended: readonly Job[] = [
  job(samples.succeeded, { id: 'j_4p8v1cz0', agent: 'claude' }),
  job(samples.succeeded, { id: 'j_4p8v1cz1', agent: 'codex', usage }),
  job(samples.succeeded, { id: 'j_4p8v1cz2', agent: 'sh -c "scripts/agent.sh --fast --model small"', usage: null }),
];
const mixed: readonly Job[] = [
  job(samples.running, { id: 'j_4p8v1cz0' }),
  job(samples.failed, { id: 'j_4p8v1cz1' }),
  job(samples.queued, { id: 'j_4p8v1cz2' }),
  job(samples.nothingChanged, { id: 'j_4p8v1cz3' }),
];

function Frame(props: Pick<CompareViewProps, 'jobs' | 'diffs'> & { group?: string | null }) {
  const [chosen, setChosen] = useState<string | null>(null);
  return <CompareView group={GROUP} {...props} file={chosen} onFile={setChosen} />;
}

const three = [diff(LIST, LONG, TEST), diff(LIST, SHORT), diff(LIST, LONG)];

export const entries: GalleryEntry[] = [
  {
    id: 'compare/ended',
    title: 'Three that ended',
    frame: 'bare',
    render: () => <Frame jobs={live(ended)} diffs={three} />,
  },
  {
    id: 'compare/mixed',
    title: 'Running, failed, waiting, without changes',
    frame: 'bare',
    render: () => (
      <Frame jobs={live(mixed)} diffs={[diff(LIST, LONG), diff(SHORT), loading, live({ files: [], drawable: true })]} />
    ),
  },
  {
    id: 'compare/diff-error',
    title: 'A diff that does not come',
    frame: 'bare',
    render: () => <Frame jobs={refetching(ended)} diffs={[diff(LIST), failedLoad, loading]} />,
  },
  { id: 'compare/loading', title: 'Loading', frame: 'bare', render: () => <Frame jobs={loading} diffs={[]} /> },
  { id: 'compare/error', title: 'Error', frame: 'bare', render: () => <Frame jobs={failedLoad} diffs={[]} /> },
  {
    id: 'compare/empty',
    title: 'Nothing chosen',
    frame: 'bare',
    render: () => <Frame jobs={live([])} diffs={[]} group={null} />,
  },
];
