import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';

/** What a program may have switched on and nobody switches off when it is left: attributes, cursor, mouse, bracketed paste, other screen. */
const CALM = '\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l';
const OTHER_SCREEN = { on: '\x1b[?1049h', off: '\x1b[?1049l' };

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
  let isRestored = false;
  let resized = (): void => undefined;
  const onResize = () => resized();
  const restore = () => {
    if (isRestored) return;
    isRestored = true;
    keys.setRawMode?.(false);
    stdout.off('resize', onResize);
    process.off('exit', restore);
    stdout.write(isOnOtherScreen ? `${OTHER_SCREEN.off}${CALM}` : CALM);
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
      const text = decoder.decode(bytes);
      const [on, off] = [text.lastIndexOf(OTHER_SCREEN.on), text.lastIndexOf(OTHER_SCREEN.off)];
      if (on !== off) isOnOtherScreen = on > off;
      await terminal.write(bytes);
    },
    say: (line) => void process.stderr.write(`\r\n[hangar: ${line}]\r\n`),
    restore,
  };
}

/** What a terminal may be, as the contract has it. */
const within = (side: number | undefined): number => Math.min(1000, Math.max(2, side || 80));
