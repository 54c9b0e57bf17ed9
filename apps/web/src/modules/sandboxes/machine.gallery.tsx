import type { FileEntry, MachinePlatform } from '@hangar/contract';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago, failed, live, loading, refetching, stale } from '../../gallery/samples.ts';
import { parseDiff } from '../diff/parse-diff.ts';
import { FilesPanel, type FilesPanelProps } from './files-panel.tsx';
import { MachinePanel, type MachinePanelProps } from './machine-panel.tsx';
import { load } from './samples.ts';
import { TreePanel, type TreePanelProps } from './tree-panel.tsx';

const nothing = () => {};
const idle = { run: nothing, pending: false, error: null, reset: nothing };
const unasked = {
  ...{ ask: nothing, about: null, pending: false },
  dialog: { opened: false, onClose: nothing, onConfirm: nothing, pending: false, error: null },
};

const naming = { about: null, ask: nothing, onClose: nothing, give: idle };

const entry = (name: string, more: Partial<FileEntry> = {}): FileEntry => ({
  ...{ name, type: 'file', size: 1_204, mode: 0o644, modifiedAt: ago(3_600), target: null },
  ...more,
});
const script = entry('run.sh', { mode: 0o755, size: 48, modifiedAt: ago(40) });
const folder = {
  path: '/home/job/notes',
  entries: [
    ...[entry('.git', { type: 'folder', mode: 0o755 }), entry('src', { type: 'folder', mode: 0o755 })],
    ...[entry('caf\udce9.txt'), entry('dump.sql', { size: 48_300_000 }), entry('package.json'), script],
    entry('latest', { type: 'link', mode: 0o777, target: 'src' }),
  ],
  more: false,
};

const Files = (props: Partial<FilesPanelProps>) => (
  <FilesPanel
    {...{ unable: null, folder: live(folder), onFolder: nothing, open: null, onOpen: nothing }}
    {...{ hrefOf: () => '#', upload: idle, remove: unasked, naming }}
    {...props}
  />
);

const platform: MachinePlatform = {
  ...{ os: 'Linux', arch: 'x86_64', kernel: '6.12.1', distribution: 'Debian GNU/Linux 12 (bookworm)' },
  ...{ home: '/home/job', uid: 1000, user: 'job', cpus: 2, memoryBytes: 4 * 2 ** 30, diskBytes: 40 * 2 ** 30 },
  ...{ diskFreeBytes: 31 * 2 ** 30, clockSkewMs: 40 },
  tools: { sh: '', bash: 'GNU bash, version 5.2.15', git: 'git version 2.39.5', node: null, python3: 'Python 3.11.2' },
};
const unknown = load.map((sample) => ({
  ...sample,
  ...{ cpus: null, cpusMost: null, diskBytes: null, diskMost: null, memoryMost: null },
}));
const reading = { status: 'live', samples: load, away: null, error: null } as const;

const Machine = (props: Partial<MachinePanelProps>) => (
  <MachinePanel {...{ unable: null, platform: live(platform), load: reading }} {...props} />
);
const files = (id: string, title: string, props: Partial<FilesPanelProps>): GalleryEntry => ({
  ...{ id: `sandboxes/files/${id}`, title },
  render: () => <Files {...props} />,
});
const machine = (id: string, title: string, props: Partial<MachinePanelProps>): GalleryEntry => ({
  ...{ id: `sandboxes/machine/${id}`, title },
  render: () => <Machine {...props} />,
});

const DIFF = `diff --git a/src/notes/list.ts b/src/notes/list.ts
--- a/src/notes/list.ts
+++ b/src/notes/list.ts
@@ -1,3 +1,4 @@
+import { search } from './search.ts';
 export function list(notes: Note[], tag: string | null): Note[] {
   return tag === null ? notes : notes.filter((note) => note.tags.includes(tag));
 }
`;
const made = {
  ...{ diff: '0f3c9a', path: '/root/j_7k2m9p4x1a/tree', commit: '4f1c2ab'.padEnd(40, '0'), sha256: '0'.repeat(64) },
  ...{ filesChanged: 1, insertions: 1, deletions: 0, sizeBytes: DIFF.length },
};
const drawn = { files: parseDiff(DIFF, { keepHunks: true }), drawable: true };
const tree = (id: string, title: string, props: Partial<TreePanelProps>): GalleryEntry => ({
  ...{ id: `sandboxes/diff/${id}`, title },
  render: () => (
    <TreePanel
      {...{ unable: null, id: 's_4k8m2qx7p1', path: '', onPath: nothing, made: live(made), content: live(drawn) }}
      {...{ hrefOf: () => '#', onAgain: nothing, file: null, onFile: nothing }}
      {...props}
    />
  ),
});

export const entries: GalleryEntry[] = [
  files('live', 'Files of a sandbox', {}),
  files('open', 'Files, a text is open', {
    open: { entry: script, text: live('#!/bin/sh\nset -eu\nnpm ci && npm test\n') },
  }),
  files('no-text', 'Files, what is open is no text', { open: { entry: script, text: live(null) } }),
  files('loading', 'Files, loading', { folder: loading }),
  files('error', 'Files, error', { folder: failed }),
  files('refetching', 'Files, refetching', { folder: refetching(folder) }),
  files('stale', 'Files, refetch failed', { folder: stale(folder) }),
  files('empty', 'Files, an empty folder', { folder: live({ path: '/', entries: [], more: false }) }),
  files('more', 'Files, more than are listed', { folder: live({ ...folder, more: true }) }),
  files('closed', 'Files of a closed sandbox', { unable: 'The sandbox is closed: its machine is gone.' }),
  files('remove', 'Files, one is to be removed', {
    remove: { ...unasked, about: script, dialog: { ...unasked.dialog, opened: true } },
  }),
  files('folder', 'Files, a new folder', { naming: { ...naming, about: 'folder' } }),
  files('rename', 'Files, one gets another name', { naming: { ...naming, about: script } }),
  machine('live', 'A machine in use', {}),
  machine('unknown', 'A machine that says little', { load: { ...reading, samples: unknown } }),
  machine('away', 'A machine out of reach', {
    load: { ...reading, away: 'The connection to the machine broke. What runs there goes on. Try again in a moment.' },
  }),
  machine('loading', 'A machine, loading', { platform: loading, load: { ...reading, status: 'loading', samples: [] } }),
  machine('error', 'A machine, error', {
    platform: failed,
    load: { ...reading, status: 'failed', samples: [], error: failed.error },
  }),
  machine('closed', 'The machine of a closed sandbox', { unable: 'The sandbox is closed: its machine is gone.' }),
  tree('changed', 'Diff of a sandbox', {}),
  tree('left-out', 'Diff of a sandbox that cannot hold all', {
    made: live({ ...made, leftOut: ['dump.sql is larger than the plan allows and not in the diff'] }),
  }),
  tree('nothing', 'Diff of a sandbox, nothing changed', { made: live({ ...made, filesChanged: 0 }) }),
  tree('loading', 'Diff of a sandbox, loading', { made: loading, content: loading }),
  tree('error', 'Diff of a sandbox, error', { made: failed }),
  tree('refetching', 'Diff of a sandbox, made again', { made: refetching(made) }),
  tree('unable', 'Diff of a sandbox that is closed', { unable: 'The sandbox is closed: its machine is gone.' }),
];
