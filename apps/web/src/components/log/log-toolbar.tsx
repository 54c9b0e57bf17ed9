import type { LogStream } from '@hangar/contract';
import { formatCount, plural } from '@hangar/contract/words/number';
import { ActionIcon, Menu, SegmentedControl, TextInput, Tooltip } from '@mantine/core';
import {
  IconArrowBarToDown,
  IconCheck,
  IconChevronDown,
  IconChevronUp,
  IconClock,
  IconCopy,
  IconDotsVertical,
  IconDownload,
  IconFileText,
  IconLoader2,
  IconSearch,
  IconTextWrap,
} from '@tabler/icons-react';
import {
  type KeyboardEvent,
  memo,
  type ReactNode,
  type RefObject,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react';
import { useCopy } from '../actions/copy.tsx';
import { plainText } from './ansi.ts';
import classes from './log.module.css';
import type { LogControl } from './log-body.tsx';
import type { LogBuffer } from './log-buffer.ts';
import type { LineRange } from './log-link.ts';
import type { LogPreferences } from './log-preferences.ts';
import type { SearchState } from './log-search.ts';

interface LogToolbarProps {
  buffer: LogBuffer;
  state: 'loading' | 'live' | 'reconnecting' | 'ended';
  input: RefObject<HTMLInputElement | null>;
  found: SearchState;
  /** Which match is shown, from 1; 0 for none. */
  ordinal: number;
  onSearch: (text: string) => void;
  onStep: (direction: 1 | -1) => void;
  streams: ReadonlySet<LogStream> | null;
  onStreams: (streams: ReadonlySet<LogStream> | null) => void;
  preferences: LogPreferences;
  onPreferences: (next: LogPreferences) => void;
  isFollowing: boolean;
  control: RefObject<LogControl | null>;
  marked: LineRange | null;
  rawHref: string;
  downloadHref: string;
}

export const LogToolbar = memo(function LogToolbar(props: LogToolbarProps) {
  const { preferences, onPreferences, control } = props;
  return (
    <div className={classes.toolbar}>
      <Search {...props} />
      <SegmentedControl
        className={classes.streams}
        size="xs"
        aria-label="Lines of: all, standard output, standard error, Hangar"
        value={props.streams === null ? 'all' : ([...props.streams][0] ?? 'all')}
        onChange={(value) => props.onStreams(value === 'all' ? null : new Set([value as LogStream]))}
        data={[
          { value: 'all', label: 'All' },
          { value: 'stdout', label: 'out' },
          { value: 'stderr', label: 'err' },
          { value: 'system', label: 'sys' },
        ]}
      />
      <Count buffer={props.buffer} state={props.state} />
      <div className={classes.tools}>
        <Toggle
          label="Wrap long lines (w)"
          on={preferences.wrap}
          onChange={(wrap) => onPreferences({ ...preferences, wrap })}
        >
          <IconTextWrap size={16} />
        </Toggle>
        <Toggle label="Times (t)" on={preferences.time} onChange={(time) => onPreferences({ ...preferences, time })}>
          <IconClock size={16} />
        </Toggle>
        <Toggle
          label={props.state === 'ended' ? 'To the end (G)' : 'Follow (f)'}
          on={props.isFollowing}
          onChange={() => control.current?.toggleFollow()}
        >
          <IconArrowBarToDown size={16} />
        </Toggle>
        <CopyLines buffer={props.buffer} marked={props.marked} />
        <Menu>
          <Menu.Target>
            <ActionIcon aria-label="Raw and download">
              <IconDotsVertical size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              component="a"
              href={props.rawHref}
              target="_blank"
              rel="noreferrer"
              leftSection={<IconFileText size={15} />}
            >
              Raw text
            </Menu.Item>
            <Menu.Item component="a" href={props.downloadHref} download leftSection={<IconDownload size={15} />}>
              Download (gzip)
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
    </div>
  );
});

function Search({ input, found, ordinal, onSearch, onStep, control }: LogToolbarProps) {
  const [text, setText] = useState(found.text);
  const onKey = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      onStep(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      setText('');
      onSearch('');
      control.current?.focus();
    }
  };
  const isAsked = found.text !== '';
  return (
    <search className={classes.search}>
      <TextInput
        ref={input}
        className={classes.field}
        size="xs"
        type="search"
        placeholder="Search, or :123 for a line"
        aria-label="Search the log"
        aria-keyshortcuts="/"
        data-search
        leftSection={<IconSearch size={14} />}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          onSearch(event.currentTarget.value);
        }}
        onKeyDown={onKey}
      />
      {isAsked ? (
        <>
          <span className={classes.found} role="status">
            {found.searching ? <IconLoader2 className={classes.turning} size={13} aria-label="Searching" /> : null}
            {found.count === 0
              ? found.searching
                ? ''
                : 'No match'
              : `${ordinal === 0 ? '–' : formatCount(ordinal)} of ${plural(found.count, 'line')}`}
            {found.partial ? ' loaded' : ''}
          </span>
          <ActionIcon aria-label="Previous match (N)" disabled={found.count === 0} onClick={() => onStep(-1)}>
            <IconChevronUp size={16} />
          </ActionIcon>
          <ActionIcon aria-label="Next match (n)" disabled={found.count === 0} onClick={() => onStep(1)}>
            <IconChevronDown size={16} />
          </ActionIcon>
        </>
      ) : null}
    </search>
  );
}

function Toggle(props: { label: string; on: boolean; onChange: (on: boolean) => void; children: ReactNode }) {
  return (
    <Tooltip label={props.label}>
      <ActionIcon
        aria-label={props.label}
        aria-pressed={props.on}
        variant={props.on ? 'light' : 'subtle'}
        color={props.on ? 'accent' : 'gray'}
        onClick={() => props.onChange(!props.on)}
      >
        {props.children}
      </ActionIcon>
    </Tooltip>
  );
}

const STATE_WORDS = { loading: 'loading', live: 'live', reconnecting: 'reconnecting', ended: '' } as const;

/** How many lines there are, told four times a second at most: digits that fly help nobody. */
function Count({ buffer, state }: { buffer: LogBuffer; state: keyof typeof STATE_WORDS }) {
  const [total, setTotal] = useState(buffer.total);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const tell = () => {
      timer = null;
      setTotal(buffer.total);
    };
    tell();
    const stop = buffer.subscribe(() => {
      timer ??= setTimeout(tell, 250);
    });
    return () => {
      stop();
      if (timer !== null) clearTimeout(timer);
    };
  }, [buffer]);
  return (
    <span className={`${classes.count} hg-num`}>
      {plural(total, 'line')}
      {STATE_WORDS[state] === '' ? null : (
        <span className={classes.state} data-state={state}>
          {STATE_WORDS[state]}
        </span>
      )}
    </span>
  );
}

function CopyLines({ buffer, marked }: { buffer: LogBuffer; marked: LineRange | null }) {
  const { copied, copy } = useCopy();
  useSyncExternalStore(buffer.subscribe, () => buffer.loaded === buffer.total);
  const label =
    marked !== null
      ? marked.from === marked.to
        ? `Copy line ${marked.from}`
        : `Copy lines ${marked.from} to ${marked.to}`
      : buffer.loaded === buffer.total
        ? 'Copy all lines'
        : 'Copy the loaded lines';
  return (
    <Tooltip label={copied ? 'Copied' : label}>
      <ActionIcon
        aria-label={copied ? 'Copied' : label}
        onClick={() => copy(linesText(buffer, marked?.from ?? 1, marked?.to ?? buffer.total))}
      >
        {copied ? <IconCheck size={16} color="var(--hg-good)" /> : <IconCopy size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}

/** The lines as a person sees them, without colours; lines that are not loaded are left out. */
function linesText(buffer: LogBuffer, from: number, to: number): string {
  const lines: string[] = [];
  for (let n = from; n <= Math.min(to, buffer.total); n += 1) {
    const text = buffer.text(n);
    if (text !== undefined) lines.push(plainText(text));
  }
  return lines.join('\n');
}
