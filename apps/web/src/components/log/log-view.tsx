import type { LogStream } from '@hangar/contract';
import {
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import classes from './log.module.css';
import { LogBody, type LogControl } from './log-body.tsx';
import type { LogBuffer } from './log-buffer.ts';
import type { LineRange } from './log-link.ts';
import { useLogPreferences } from './log-preferences.ts';
import { LogSearch, type RemoteSearch } from './log-search.ts';
import { LogToolbar } from './log-toolbar.tsx';

export interface LogViewProps {
  buffer: LogBuffer;
  /** For screen readers: "Log of job j_7k2…". */
  label: string;
  /** A few words that float over the first line: loading, reconnecting, an error. Nothing moves for them. */
  notice?: ReactNode;
  /** Shown in place of lines while there are none. */
  empty: ReactNode;
  /** `live` while lines may still come. */
  state: 'loading' | 'live' | 'reconnecting' | 'ended';
  /** Lines are looked at that are not loaded (both ends included). Keep the function the same between renders. */
  need?: ((from: number, to: number) => void) | undefined;
  /** Searches lines that are not loaded. Keep the function the same between renders. */
  remoteSearch?: RemoteSearch | undefined;
  /** Lines that are linked to; the first of them is shown at the start. */
  marked: LineRange | null;
  onMark: (range: LineRange | null) => void;
  /** The whole log as text, to look at. */
  rawHref: string;
  /** The whole log as a file. */
  downloadHref: string;
}

/** The one log viewer. Keys: `/` search, n N matches, g G ends, f follow, w wrap, t times. */
export function LogView(props: LogViewProps) {
  const { buffer, remoteSearch, need, marked } = props;
  const [preferences, setPreferences] = useLogPreferences();
  const [streams, setStreams] = useState<ReadonlySet<LogStream> | null>(null);
  const [current, setCurrent] = useState<number | null>(null);
  const [isFollowing, setFollowing] = useState(true);
  const search = useLogSearch(buffer, remoteSearch);
  const found = useSyncExternalStore(search.subscribe, search.snapshot);
  const control = useRef<LogControl>(null);
  const input = useRef<HTMLInputElement>(null);

  const show = useCallback((n: number) => {
    setCurrent(n);
    // A line that the filter hides is shown all the same.
    if (control.current?.jumpTo(n) === false) {
      setStreams(null);
      requestAnimationFrame(() => control.current?.jumpTo(n));
    }
  }, []);
  const step = useCallback(
    (direction: 1 | -1) => {
      const from = current ?? (control.current?.firstSeen() ?? 1) - (direction === 1 ? 1 : 0);
      const next = search.next(from, direction);
      if (next !== null) show(next);
    },
    [current, search, show],
  );

  // The first match is shown as soon as there is one; after that the reader decides.
  const hasMatch = found.count > 0;
  const hasCurrent = current !== null;
  useEffect(() => {
    if (!hasMatch || hasCurrent) return;
    const next = search.next((control.current?.firstSeen() ?? 1) - 1, 1);
    if (next !== null) show(next);
  }, [hasMatch, hasCurrent, search, show]);

  const onSearch = useCallback(
    (text: string) => {
      setCurrent(null);
      const line = /^:(\d+)$/.exec(text)?.[1];
      if (line !== undefined) {
        search.start('');
        control.current?.jumpTo(Math.min(Math.max(1, Number(line)), Math.max(1, buffer.total)));
      } else search.start(text.startsWith(':') && /^:\d*$/.test(text) ? '' : text);
    },
    [buffer, search],
  );

  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    if (!act(event.key, { step, control: control.current, input: input.current, preferences, setPreferences })) return;
    // In a log these keys are the log's; elsewhere n and g are the shell's.
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <section className={classes.frame} aria-label={props.label} onKeyDown={onKey}>
      <LogToolbar
        buffer={buffer}
        state={props.state}
        input={input}
        found={found}
        ordinal={current === null ? 0 : search.ordinal(current)}
        onSearch={onSearch}
        onStep={step}
        streams={streams}
        onStreams={setStreams}
        preferences={preferences}
        onPreferences={setPreferences}
        isFollowing={isFollowing}
        control={control}
        marked={marked}
        rawHref={props.rawHref}
        downloadHref={props.downloadHref}
      />
      <LogBody
        ref={control}
        buffer={buffer}
        search={search}
        query={found.text}
        streams={streams}
        wrap={preferences.wrap}
        showTime={preferences.time}
        current={current}
        marked={marked}
        onMark={props.onMark}
        need={need}
        onFollowing={setFollowing}
        empty={props.empty}
        isLive={props.state !== 'ended'}
        label={props.label}
        notice={props.notice}
      />
    </section>
  );
}

interface KeyContext {
  step: (direction: 1 | -1) => void;
  control: LogControl | null;
  input: HTMLInputElement | null;
  preferences: { wrap: boolean; time: boolean };
  setPreferences: (next: { wrap: boolean; time: boolean }) => void;
}

/** Does what a key asks for; false when it is none of ours. */
function act(key: string, { step, control, input, preferences, setPreferences }: KeyContext): boolean {
  if (key === '/') input?.focus();
  else if (key === 'n') step(1);
  else if (key === 'N') step(-1);
  else if (key === 'g') control?.toStart();
  else if (key === 'G') control?.follow();
  else if (key === 'f') control?.toggleFollow();
  else if (key === 'w') setPreferences({ ...preferences, wrap: !preferences.wrap });
  else if (key === 't') setPreferences({ ...preferences, time: !preferences.time });
  else return false;
  return true;
}

function useLogSearch(buffer: LogBuffer, remote: RemoteSearch | undefined): LogSearch {
  const [made, setMade] = useState(() => ({ buffer, remote, search: new LogSearch(buffer, remote ?? null) }));
  const isStale = made.buffer !== buffer || made.remote !== remote;
  const search = isStale ? new LogSearch(buffer, remote ?? null) : made.search;
  if (isStale) setMade({ buffer, remote, search });
  useEffect(() => {
    const stop = buffer.subscribe(() => search.refresh());
    return () => {
      stop();
      search.stop();
    };
  }, [buffer, search]);
  return search;
}

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
