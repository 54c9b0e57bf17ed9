import { Button, CloseButton } from '@mantine/core';
import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from 'react';
import classes from './notices.module.css';
import { StateIcon } from './state-badge.tsx';
import type { Tone } from './tones.ts';

export interface Notice {
  text: string;
  tone?: Tone;
  /** Undo, or where to go next. */
  action?: { label: string; onClick: () => void };
}

const SHOWN_MS = 6000;

const NoticeContext = createContext<(notice: Notice) => void>(() => {});

/** `const notify = useNotice(); notify({ text: 'Job cancelled' })`: a short line that goes by itself. Not for errors of a form. */
export const useNotice = () => useContext(NoticeContext);

export function NoticeProvider({ children }: { children: ReactNode }) {
  const [notices, setNotices] = useState<(Notice & { key: number })[]>([]);
  const next = useRef(0);
  const remove = useCallback((key: number) => setNotices((old) => old.filter((notice) => notice.key !== key)), []);
  const notify = useCallback(
    (notice: Notice) => {
      next.current += 1;
      const key = next.current;
      setNotices((old) => [...old.slice(-2), { ...notice, key }]);
      setTimeout(() => remove(key), SHOWN_MS);
    },
    [remove],
  );
  return (
    <NoticeContext value={notify}>
      {children}
      <div className={classes.stack} role="status" aria-live="polite">
        {notices.map((notice) => (
          <div key={notice.key} className={classes.notice}>
            <StateIcon tone={notice.tone ?? 'good'} />
            <span className={classes.text}>{notice.text}</span>
            {notice.action === undefined ? null : (
              <Button
                variant="subtle"
                onClick={() => {
                  notice.action?.onClick();
                  remove(notice.key);
                }}
              >
                {notice.action.label}
              </Button>
            )}
            <CloseButton size="sm" aria-label="Dismiss" onClick={() => remove(notice.key)} />
          </div>
        ))}
      </div>
    </NoticeContext>
  );
}
