import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';

/**
 * What a program may have switched on and nobody switches off when it is left: attributes, line drawing, cursor, its keys and keypad, wrapping,
 * mouse and focus reports, bracketed paste, other keys, scroll region.
 */
const CALM = [
  ...['\x1b[0m', '\x1b(B', '\x0f', '\x1b[?25h', '\x1b[0 q', '\x1b[?1l', '\x1b>', '\x1b[?7h'],
  ...[1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004].map((mode) => `\x1b[?${mode}l`),
  ...['\x1b[>4m', '\x1b7', '\x1b[r', '\x1b8'],
].join('');
const OTHER_SCREEN = /\x1b\[\?(?:1049|1047|47)([hl])/g;
const LONGEST = '\x1b[?1049h'.length;

/** The terminal of this command line, while all its keys go elsewhere. */
export interface RawTerminal {
  size(): { readonly columns: number; readonly rows: number };
  onResize(listener: () => void): void;
  show(bytes: Uint8Array): Promise<void>;
  /** A line of our own, among what is shown. */
  say(line: string): void;
  /** Gives it back as it was. Happens by itself when the process exits. */
  restore(): void;
}

/** @throws HangarError usage: there is none @param other how the same is done without one */
export function openRawTerminal({ stdin, terminal }: Cli, other: string): RawTerminal {
  const keys = stdin as Cli['stdin'] & Partial<ReadStream>;
  if (keys.isTTY !== true || keys.setRawMode === undefined || !terminal.outIsTerminal)
    throw new HangarError('usage', {
      message: 'Standard input and output are no terminal.',
      wayOut: `Run it in a terminal, or execute a command: ${other}`,
    });
  const { stdout } = process;
  const decoder = new TextDecoder('latin1');
  let isOnOtherScreen = false;
  let before = '';
  let isRestored = false;
  let resized = (): void => undefined;
  const onResize = () => resized();
  const restore = () => {
    if (isRestored) return;
    isRestored = true;
    keys.setRawMode?.(false);
    stdout.off('resize', onResize);
    process.off('exit', restore);
    stdout.write(isOnOtherScreen ? `\x1b[?1049l${CALM}` : CALM);
  };
  keys.setRawMode(true);
  // Node leaves a newline as the begin of a line, which for what fills the screen is only one line down. Given back with the rest.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  process.on('exit', restore);
  stdout.on('resize', onResize);
  return {
    size: () => ({ columns: within(stdout.columns), rows: within(stdout.rows) }),
    onResize(listener) {
      resized = listener;
    },
    async show(bytes) {
      // What stands in two pieces is found, too.
      const text = before + decoder.decode(bytes);
      before = text.slice(1 - LONGEST);
      for (const [, turned] of text.matchAll(OTHER_SCREEN)) isOnOtherScreen = turned === 'h';
      await terminal.write(bytes);
    },
    say: (line) => void process.stderr.write(`\r\n[hangar: ${line}]\r\n`),
    restore,
  };
}

/** What a terminal may be, as the contract has it. */
const within = (side: number | undefined): number => Math.min(1000, Math.max(2, side || 80));
