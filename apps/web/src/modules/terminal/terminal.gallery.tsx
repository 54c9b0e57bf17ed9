import { HangarError } from '@hangar/contract';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago } from '../../gallery/samples.ts';
import type { TerminalLine, TerminalReading } from './terminal-line.ts';
import { TerminalsView, type TerminalsViewProps } from './terminals-view.tsx';

const nothing = () => {};
const idle = { run: nothing, pending: false, error: null, reset: nothing };
const unasked = {
  ...{ ask: nothing, about: null, pending: false },
  dialog: { opened: false, onClose: nothing, onConfirm: nothing, pending: false, error: null },
};

const ESC = '\u001b';
const PROMPT = `${ESC}[1;32mjob@s-4k8m2qx7p1${ESC}[0m:${ESC}[1;34m~/notes${ESC}[0m$ `;
const SHELL = [
  `${PROMPT}npm test`,
  '',
  '> notes@2.4.0 test',
  '> vitest run',
  '',
  ` ${ESC}[32m✓${ESC}[39m src/search.test.ts ${ESC}[2m(14 tests)${ESC}[22m ${ESC}[33m212 ms${ESC}[39m`,
  ` ${ESC}[31m✗${ESC}[39m src/list.test.ts ${ESC}[2m(3 tests)${ESC}[22m`,
  `   ${ESC}[41;97m FAIL ${ESC}[0m keeps what was typed`,
  '',
  `${PROMPT}git status --short`,
  ` ${ESC}[31mM${ESC}[m src/list.ts`,
  `${ESC}[31m??${ESC}[m notes.txt`,
  PROMPT,
].join('\r\n');
const COLOURS = Array.from(
  { length: 16 },
  (_, n) => `${ESC}[${n < 8 ? 30 + n : 82 + n}m text ${ESC}[0m${ESC}[${n < 8 ? 40 + n : 92 + n}m cell ${ESC}[0m`,
).join('\r\n');
const BOX = `\r\n${ESC}[34m┌──────────────┐\r\n│ ${ESC}[39mboxes, ┼ ░▒▓${ESC}[34m │\r\n└──────────────┘${ESC}[0m\r\n${ESC}[7m inverse ${ESC}[0m ${ESC}[1mbold${ESC}[0m ${ESC}[4munderlined${ESC}[0m`;

const reading: TerminalReading = { status: 'connected', why: null, error: null, end: null };

/** In the place of a machine: it prints what it is given, and takes no keys. */
const line = (more: Partial<TerminalReading> = {}, text = SHELL): TerminalLine => {
  const said = { ...reading, ...more };
  return {
    ...{ subscribe: () => nothing, snapshot: () => said, isNew: false, type: nothing, resize: nothing, retry: nothing },
    attach(sink) {
      void sink.print(new TextEncoder().encode(text));
      return nothing;
    },
  };
};

const end = { id: 'e_1aaaaaaaaa', state: 'succeeded', exitCode: 0, signal: null, reason: 'Done.' } as const;
const running = [
  { id: 'e_3aaaaaaaaa', title: 'bash -l', createdAt: ago(900), startedAt: ago(899) },
  { id: 'e_4aaaaaaaaa', title: 'shell', createdAt: ago(7_300), startedAt: ago(7_300) },
];

const View = (props: Partial<TerminalsViewProps>) => (
  <div style={{ height: 560 }}>
    <TerminalsView
      {...{
        unable: null,
        open: [{ id: 'e_1aaaaaaaaa', line: LIVE, execution: undefined }],
        shown: null,
        onShow: nothing,
        onLeave: nothing,
      }}
      {...{ running: [], onJoin: nothing, another: idle, end: unasked, command: 'hangar sandbox shell s_4k8m2qx7p1' }}
      {...props}
    />
  </div>
);
const LIVE = line();
const only = (more: Partial<TerminalReading>, text?: string) => [
  { id: 'e_1aaaaaaaaa', line: line(more, text), execution: undefined },
];
const view = (id: string, title: string, props: Partial<TerminalsViewProps>): GalleryEntry => ({
  ...{ id: `terminal/${id}`, title },
  render: () => <View {...props} />,
});

const AWAY = 'The connection to the machine broke. What runs there goes on.';
const unsupported = {
  ...{ code: 'unsupported', message: 'This machine has no terminals: it lacks the script program of util-linux.' },
  wayOut: 'Install util-linux in its image, or run commands without a terminal.',
} as const;

export const entries: GalleryEntry[] = [
  view('live', 'A terminal', {}),
  view('colours', 'A terminal in all colours', { open: only({}, COLOURS + BOX) }),
  view('many', 'Several terminals, and some to join', {
    open: [
      { id: 'e_1aaaaaaaaa', line: LIVE, execution: undefined },
      { id: 'e_2aaaaaaaaa', line: line({ status: 'reconnecting' }), execution: undefined },
    ],
    running,
  }),
  view('none', 'No terminal yet', { open: [] }),
  view('join', 'No terminal is open here, some run', { open: [], running }),
  view('connecting', 'A terminal, connecting', { open: only({ status: 'connecting' }, '') }),
  view('reconnecting', 'A terminal, reconnecting', { open: only({ status: 'reconnecting' }) }),
  view('away', 'A terminal whose machine is out of reach', { open: only({ status: 'away', why: AWAY }) }),
  view('ended', 'A terminal that ended', { open: only({ status: 'ended', end }) }),
  view('unsupported', 'A terminal of a machine that has none', {
    open: only({ status: 'ended', end: { ...end, state: 'failed', exitCode: null } }, '').map((one) => ({
      ...one,
      execution: { title: 'shell', failure: unsupported },
    })),
  }),
  view('failed', 'A terminal that cannot be had', {
    open: only({ status: 'failed', error: new HangarError('execution_not_found') }, ''),
  }),
  view('not-opened', 'A terminal that could not be opened', {
    open: [],
    another: { ...idle, error: new HangarError('internal', { details: { reference: 'r_8f3k2m9q' } }) },
  }),
  view('end', 'A terminal is to be ended', {
    end: { ...unasked, about: 'e_1aaaaaaaaa', dialog: { ...unasked.dialog, opened: true } },
  }),
  view('paused', 'Terminals of a paused sandbox', {
    unable: 'It is paused: resume it to look into its machine.',
  }),
];
