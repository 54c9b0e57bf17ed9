import { Button, CloseButton } from '@mantine/core';
import {
  createContext,
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from 'react';
import { useHabits } from '../habits.ts';
import { StateIcon } from '../state/state-badge.tsx';
import type { Tone } from '../state/tones.ts';
import classes from './notices.module.css';

export interface Notice {
  text: string;
  tone?: Tone;
  /** Undo, or where to go next. */
  action?: { label: string; onClick: () => void };
}

const SHOWN_MS = 6000;
/** There is something to decide. */
const WITH_ACTION_MS = 20_000;
/** Not a letter, and taken by no browser or screen reader. */
const TO_NOTICES = 'F8';

const NoticeContext = createContext<(notice: Notice) => void>(() => {});

/** `const notify = useNotice(); notify({ text: 'Job cancelled' })`: a short line that goes by itself. Not for errors of a form. */
export const useNotice = () => useContext(NoticeContext);

export function NoticeProvider({ children }: { children: ReactNode }) {
  const [notices, setNotices] = useState<(Notice & { key: number })[]>([]);
  const next = useRef(0);
  const notify = useCallback((notice: Notice) => {
    next.current += 1;
    const key = next.current;
    setNotices((old) => [...old.slice(-2), { ...notice, key }]);
  }, []);
  const remove = (key: number) => setNotices((old) => old.filter((notice) => notice.key !== key));
  return (
    <NoticeContext value={notify}>
      {children}
      <NoticeStack notices={notices} onRemove={remove} />
    </NoticeContext>
  );
}

interface NoticeStackProps {
  notices: readonly (Notice & { key: number })[];
  onRemove: (key: number) => void;
}

/** The notices there are. While somebody points at one or is in one, none of them goes. */
function NoticeStack({ notices, onRemove }: NoticeStackProps) {
  const stack = useRef<HTMLElement>(null);
  const cameFrom = useRef<HTMLElement | null>(null);
  const [isPointed, setPointed] = useState(false);
  const [hasFocus, setFocus] = useState(false);

  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key !== TO_NOTICES || event.ctrlKey || event.altKey || event.metaKey) return;
      const [first] = stack.current?.querySelectorAll('button') ?? [];
      if (first === undefined) return;
      event.preventDefault();
      first.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);

  const leave = (key: number) => {
    const isLast = notices.length === 1;
    onRemove(key);
    // What had the focus is gone: it goes back to where it was, and not to the top of the page.
    if (hasFocus) (isLast ? cameFrom.current : stack.current?.querySelector<HTMLElement>('button'))?.focus();
    if (isLast) {
      setPointed(false);
      setFocus(false);
    }
  };
  const onEscape = (event: KeyboardEvent, key: number) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    leave(key);
  };
  return (
    <section
      ref={stack}
      className={classes.stack}
      aria-label={`Notices (${TO_NOTICES})`}
      aria-live="polite"
      onMouseEnter={() => setPointed(true)}
      onMouseLeave={() => setPointed(false)}
      onFocus={(event) => {
        if (!hasFocus && event.relatedTarget instanceof HTMLElement) cameFrom.current = event.relatedTarget;
        setFocus(true);
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setFocus(false);
      }}
    >
      {notices.map((notice) => (
        <NoticeLine
          key={notice.key}
          notice={notice}
          isPaused={isPointed || hasFocus}
          onLeave={() => leave(notice.key)}
          onKeyDown={(event) => onEscape(event, notice.key)}
        />
      ))}
    </section>
  );
}

interface NoticeLineProps {
  notice: Notice;
  isPaused: boolean;
  onLeave: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

function NoticeLine({ notice, isPaused, onLeave, onKeyDown }: NoticeLineProps) {
  const { noticesStay } = useHabits();
  const latest = useRef(onLeave);
  useEffect(() => {
    latest.current = onLeave;
  });
  const shownMs = notice.action === undefined ? SHOWN_MS : WITH_ACTION_MS;
  useEffect(() => {
    // After a pause it has its whole time again.
    if (isPaused || noticesStay) return;
    const timer = setTimeout(() => latest.current(), shownMs);
    return () => clearTimeout(timer);
  }, [isPaused, noticesStay, shownMs]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape in one of its buttons dismisses it, as the button beside does
    <div className={classes.notice} onKeyDown={onKeyDown}>
      <StateIcon tone={notice.tone ?? 'good'} />
      <span className={classes.text}>{notice.text}</span>
      {notice.action === undefined ? null : (
        <Button
          variant="subtle"
          onClick={() => {
            notice.action?.onClick();
            onLeave();
          }}
        >
          {notice.action.label}
        </Button>
      )}
      <CloseButton size={24} iconSize={16} aria-label="Dismiss" onClick={onLeave} />
    </div>
  );
}
