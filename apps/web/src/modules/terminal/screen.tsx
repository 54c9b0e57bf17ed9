import '@xterm/xterm/css/xterm.css';
import { useComputedColorScheme } from '@mantine/core';
import { FitAddon } from '@xterm/addon-fit';
import { type ITheme, Terminal } from '@xterm/xterm';
import { useEffect, useRef } from 'react';
import { copyText } from '../../components/actions/copy.tsx';
import { ansiPalette, type Scheme } from '../../components/log/ansi-color.ts';
import { MONO, tokens } from '../../tokens.ts';
import classes from './terminal.module.css';
import type { TerminalLine } from './terminal-line.ts';

/** Lines that can be scrolled back to. */
const SCROLLBACK = 5_000;
/** The font is waited for so long: what is measured with another one does not fit. */
const FONT_MS = 3_000;

export interface ScreenProps {
  line: TerminalLine;
  label: string;
  /** Nothing can be typed any more. */
  isOver: boolean;
  /** The others of a page wait behind it. */
  isShown: boolean;
  /** What is printed stands in the page as text as well. */
  isRead: boolean;
  /** Programs name their terminal; null when they take it back. */
  onTitle: (title: string | null) => void;
  /** Somebody leaves the screen by its key. */
  onOut: () => void;
}

/** Draws a terminal and takes keys. It is loaded when the first terminal is opened. */
export function Screen({ line, label, isOver, isShown, isRead, onTitle, onOut }: ScreenProps) {
  const host = useRef<HTMLDivElement>(null);
  const shown = useRef<Terminal | null>(null);
  const scheme = useComputedColorScheme('light');
  const latest = useRef({ label, isOver, isShown, isRead, scheme, onTitle, onOut });
  useEffect(() => {
    latest.current = { label, isOver, isShown, isRead, scheme, onTitle, onOut };
    const terminal = shown.current;
    if (terminal === null) return;
    terminal.options.theme = themeOf(scheme, isOver);
    terminal.options.screenReaderMode = isRead;
    terminal.options.cursorBlink = !isOver;
    terminal.options.disableStdin = isOver;
    terminal.textarea?.setAttribute('aria-label', label);
  });
  useEffect(() => {
    const leaving = new AbortController();
    const place = host.current;
    if (place === null) return;
    void fontsAreThere().then(() => {
      if (leaving.signal.aborted) return;
      const { terminal, close } = open(place, line, latest);
      shown.current = terminal;
      leaving.signal.addEventListener('abort', () => {
        shown.current = null;
        close();
      });
    });
    return () => leaving.abort();
  }, [line]);
  useEffect(() => {
    if (isShown && shown.current !== null) takeFocus(shown.current);
  }, [isShown]);
  return <div ref={host} className={classes.screen} />;
}

interface Latest {
  readonly current: Pick<ScreenProps, 'label' | 'isOver' | 'isShown' | 'isRead' | 'onTitle' | 'onOut'> & {
    scheme: Scheme;
  };
}

function open(place: HTMLDivElement, line: TerminalLine, latest: Latest) {
  const terminal = new Terminal({
    ...{ fontFamily: MONO, fontSize: 13, fontWeight: 400, fontWeightBold: 600, scrollback: SCROLLBACK },
    ...{
      theme: themeOf(latest.current.scheme, latest.current.isOver),
      minimumContrastRatio: 4.5,
      screenReaderMode: latest.current.isRead,
    },
    ...{ cursorBlink: !latest.current.isOver, disableStdin: latest.current.isOver, macOptionIsMeta: true },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  terminal.textarea?.setAttribute('aria-label', latest.current.label);
  keys(terminal, latest);
  terminal.onTitleChange((title) => latest.current.onTitle(title.trim() === '' ? null : title));
  terminal.onResize(({ cols, rows }) => line.resize({ columns: cols, rows }));

  // Programs ask things of a terminal, and what it answers is typed into them. Of several pages that show the same one only that
  // answers which somebody is in, and a page that comes later answers nothing that was asked before.
  let mayType = line.isNew;
  for (const deed of ['keydown', 'paste', 'beforeinput', 'pointerdown'])
    place.addEventListener(deed, () => (mayType = true), { capture: true });
  const isHere = () => mayType && document.hasFocus() && place.contains(document.activeElement);
  const text = new TextEncoder();
  terminal.onData((typed) => isHere() && line.type(text.encode(typed)));
  terminal.onBinary((typed) => isHere() && line.type(Uint8Array.from(typed, (char) => char.charCodeAt(0))));

  const measure = () => {
    const size = fit.proposeDimensions();
    if (size === undefined || !(size.cols >= 2) || !(size.rows >= 2)) return;
    terminal.resize(Math.min(size.cols, 1000), Math.min(size.rows, 1000));
  };
  measure();
  line.resize({ columns: terminal.cols, rows: terminal.rows });
  const observer = new ResizeObserver(measure);
  observer.observe(place);

  const leave = line.attach({
    print: (bytes) => new Promise((drawn) => terminal.write(bytes, drawn)),
    clear: () => terminal.reset(),
  });
  if (latest.current.isShown) takeFocus(terminal);
  return {
    terminal,
    close() {
      observer.disconnect();
      leave();
      terminal.dispose();
    },
  };
}

/** Whoever opened it types next; whoever is elsewhere on the page stays there. */
function takeFocus(terminal: Terminal): void {
  const { activeElement: at } = document;
  if (at === document.body || at?.closest('[data-terminals]') != null) terminal.focus();
}

/** Keys that do not go to the machine. */
function keys(terminal: Terminal, latest: Latest): void {
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.type !== 'keydown' || !event.ctrlKey || event.altKey || event.metaKey) return true;
    const key = event.key.toLowerCase();
    if (key === 'l' && event.shiftKey) {
      event.preventDefault();
      latest.current.onOut();
      return false;
    }
    // As in other terminals: what is selected is copied, without a selection Ctrl-C interrupts.
    if (key !== 'c' || !(event.shiftKey || terminal.hasSelection())) return true;
    event.preventDefault();
    if (terminal.hasSelection()) void copyText(terminal.getSelection()).then(() => terminal.focus());
    terminal.clearSelection();
    return false;
  });
}

async function fontsAreThere(): Promise<void> {
  const load = ['13px', '600 13px'].map((font) => document.fonts.load(`${font} "JetBrains Mono"`));
  const late = new Promise<void>((done) => setTimeout(done, FONT_MS));
  await Promise.race([Promise.allSettled(load), late]);
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;

function themeOf(scheme: Scheme, isOver: boolean): ITheme {
  const token = tokens[scheme];
  const palette = ansiPalette(scheme);
  const theme: ITheme = {
    ...{ background: token['--hg-bg'], foreground: token['--hg-text'] },
    cursor: isOver ? '#00000000' : token['--hg-accent'],
    cursorAccent: token[isOver ? '--hg-text' : '--hg-bg'],
    selectionBackground: scheme === 'light' ? '#c9d1fb' : '#39417a',
    ...{ scrollbarSliderBackground: token['--hg-active'], scrollbarSliderHoverBackground: token['--hg-line-strong'] },
    scrollbarSliderActiveBackground: token['--hg-line-strong'],
  };
  for (const [index, colour] of COLOURS.entries()) {
    const bright = `bright${colour[0]?.toUpperCase()}${colour.slice(1)}` as keyof ITheme;
    Object.assign(theme, { [colour]: palette[index], [bright]: palette[index + 8] });
  }
  return theme;
}
