import type { Execution } from '@hangar/contract';
import { HangarError, isErrorCode } from '@hangar/contract/errors';
import type { TerminalEnd } from '@hangar/contract/terminals';
import { Button, Switch } from '@mantine/core';
import { IconDoorExit, IconPlayerStop, IconPlus, IconTerminal2 } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useRef, useState, useSyncExternalStore } from 'react';
import { type Asked, Confirm } from '../../components/actions/confirm.tsx';
import type { Action } from '../../components/actions/use-action.ts';
import { Time } from '../../components/figures/time.tsx';
import { setHabits, useHabits } from '../../components/habits.ts';
import { Callout } from '../../components/state/callout.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import { Delayed, EmptyState, ErrorState, LinesSkeleton } from '../../components/state/states.tsx';
import classes from './terminal.module.css';
import type { TerminalLine } from './terminal-line.ts';
import { terminalWords, whyQuiet } from './terminal-words.ts';

const Screen = lazy(() => import('./screen.tsx').then((module) => ({ default: module.Screen })));

export interface OpenTerminal {
  /** Of its execution. */
  readonly id: string;
  readonly line: TerminalLine;
  /** Undefined while it is not known. */
  readonly execution: Pick<Execution, 'title' | 'failure'> | undefined;
}

export interface TerminalsViewProps {
  /** Why there can be none now; null: there can. */
  unable: string | null;
  /** In the order in which they were opened here. */
  open: readonly OpenTerminal[];
  /** The id of the one that is shown. */
  shown: string | null;
  onShow: (id: string) => void;
  /** Leaves one: it goes on. */
  onLeave: (id: string) => void;
  /** Terminals that run in the sandbox and are not open here. */
  running: readonly Pick<Execution, 'id' | 'title' | 'startedAt' | 'createdAt'>[];
  onJoin: (id: string) => void;
  another: Action<[]>;
  end: Asked<string>;
  /** The same from a terminal of one's own. */
  command: string;
}

/** The terminals of a sandbox: one screen, a row of those that are open, and a list of those that can be joined. */
export function TerminalsView(props: TerminalsViewProps) {
  const { unable, open, shown, another } = props;
  const [titles, setTitles] = useState<Readonly<Record<string, string | null>>>({});
  const row = useRef<HTMLUListElement>(null);
  if (unable !== null && open.length === 0) return <EmptyState sentence={unable} />;
  const current = open.find(({ id }) => id === shown) ?? open[0];
  const nameOf = (id: string) => titles[id]?.slice(0, 80) ?? `Terminal ${open.findIndex((one) => one.id === id) + 1}`;
  return (
    <div className={classes.terminals} data-terminals>
      {unable === null ? null : <Callout tone="ended">{unable}</Callout>}
      {another.error === null ? null : <ErrorState error={another.error} />}
      {current === undefined ? (
        <None {...props} />
      ) : (
        <>
          <div className={classes.row}>
            <ul ref={row} className={classes.names} aria-label="Terminals">
              {open.map(({ id }) => (
                <li key={id}>
                  <button
                    type="button"
                    className={classes.name}
                    aria-current={id === current.id}
                    title={nameOf(id)}
                    onClick={() => props.onShow(id)}
                  >
                    {nameOf(id)}
                  </button>
                </li>
              ))}
            </ul>
            <Button
              variant="default"
              size="compact-md"
              leftSection={<IconPlus size={14} />}
              loading={another.pending}
              disabled={unable !== null}
              onClick={another.run}
            >
              New terminal
            </Button>
            <Bar {...props} {...current} />
          </div>
          {open.map(({ id, line, execution }) => (
            <div key={id} className={classes.one} hidden={id !== current.id}>
              <One
                {...props}
                line={line}
                failure={execution?.failure ?? null}
                name={nameOf(id)}
                isShown={id === current.id}
                onTitle={(title) => setTitles((old) => ({ ...old, [id]: title }))}
                onOut={() => row.current?.querySelector<HTMLElement>('[aria-current=true]')?.focus()}
              />
            </div>
          ))}
          <Running {...props} />
        </>
      )}
      <Confirm
        {...props.end.dialog}
        title={`End ${props.end.about === null ? 'the terminal' : nameOf(props.end.about)}?`}
        gone="Its shell is ended, with all that runs in it."
        action="End the terminal"
      />
    </div>
  );
}

function None(props: TerminalsViewProps) {
  return (
    <>
      <EmptyState
        icon={<IconTerminal2 size={28} />}
        sentence="A shell in this machine. It goes on when you leave the page, and waits here for you."
        action={
          <Button leftSection={<IconPlus size={15} />} loading={props.another.pending} onClick={props.another.run}>
            Open a terminal
          </Button>
        }
        command={props.command}
      />
      <Running {...props} />
    </>
  );
}

/** Those that were opened elsewhere: on the command line, or in another page. */
function Running({ running, onJoin }: TerminalsViewProps) {
  if (running.length === 0) return null;
  return (
    <section className={classes.running} aria-label="Also running">
      <h2>Also running</h2>
      <ul>
        {running.map(({ id, title, startedAt, createdAt }) => (
          <li key={id}>
            <code className={classes.title} title={title}>
              {title}
            </code>
            <span className={classes.quiet}>
              opened <Time at={startedAt ?? createdAt} />
            </span>
            <Button variant="default" size="compact-md" onClick={() => onJoin(id)}>
              Join
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

type Failure = Execution['failure'];

interface OneProps extends TerminalsViewProps {
  line: TerminalLine;
  failure: Failure;
  name: string;
  isShown: boolean;
  onTitle: (title: string | null) => void;
  onOut: () => void;
}

/** How the one that is shown is connected, and the ways out of it. */
function Bar({ id, line, end, onLeave }: TerminalsViewProps & OpenTerminal) {
  const reading = useSyncExternalStore(line.subscribe, line.snapshot);
  const isOver = reading.status === 'ended' || reading.status === 'failed';
  return (
    <div className={classes.bar}>
      <span className={classes.state} role="status">
        <StateBadge {...terminalWords(reading)} />
      </span>
      <Button variant="default" size="compact-md" leftSection={<IconDoorExit size={14} />} onClick={() => onLeave(id)}>
        {isOver ? 'Close' : 'Leave'}
      </Button>
      {isOver ? null : (
        <Button
          variant="default"
          size="compact-md"
          leftSection={<IconPlayerStop size={14} />}
          loading={end.pending}
          onClick={() => end.ask(id)}
        >
          End
        </Button>
      )}
    </div>
  );
}

function One(props: OneProps) {
  const { line, name, another } = props;
  const reading = useSyncExternalStore(line.subscribe, line.snapshot);
  const habits = useHabits();
  const { status, error } = reading;
  const isOver = status === 'ended' || status === 'failed';
  const quiet = whyQuiet(reading);
  const words = terminalWords(reading);
  return (
    <section className={classes.frame} aria-label={name}>
      {quiet === null ? null : <Callout tone={words.tone}>{quiet}</Callout>}
      {status === 'failed' && error !== null ? <ErrorState error={error} onRetry={line.retry} /> : null}
      {status === 'ended' ? (
        <Ended end={reading.end} failure={props.failure} another={another} isAble={props.unable === null} />
      ) : null}
      <Suspense
        fallback={
          <div className={classes.screen}>
            <Delayed>
              <LinesSkeleton lines={3} />
            </Delayed>
          </div>
        }
      >
        <Screen
          line={line}
          label={`${name}, what is typed`}
          isOver={isOver}
          isShown={props.isShown}
          isRead={habits.readsTerminals}
          onTitle={props.onTitle}
          onOut={props.onOut}
        />
      </Suspense>
      <div className={classes.foot}>
        <p className={classes.keys}>
          <Key>Ctrl</Key>
          <Key>Shift</Key>
          <Key>L</Key> leaves the screen by keyboard; <Key>Tab</Key> goes to the shell. <Key>Ctrl</Key>
          <Key>C</Key> copies what is selected, <Key>Ctrl</Key>
          <Key>Shift</Key>
          <Key>V</Key> pastes.
        </p>
        <Switch
          size="xs"
          label="For screen readers"
          checked={habits.readsTerminals}
          onChange={(event) => setHabits({ ...habits, readsTerminals: event.currentTarget.checked })}
        />
      </div>
    </section>
  );
}

const Key = ({ children }: { children: ReactNode }) => <kbd className={classes.key}>{children}</kbd>;

interface EndedProps {
  end: TerminalEnd | null;
  failure: Failure;
  another: Action<[]>;
  /** There can be another one now. */
  isAble: boolean;
}

function Ended({ end, failure, another, isAble }: EndedProps) {
  const open = (
    <Button variant="default" loading={another.pending} disabled={!isAble} onClick={another.run}>
      Open another
    </Button>
  );
  if (failure !== null)
    return (
      <ErrorState
        error={new HangarError(isErrorCode(failure.code) ? failure.code : 'internal', failure)}
        action={open}
      />
    );
  return (
    <div className={classes.ended}>
      <span>{end?.reason ?? 'It has ended.'} What it printed stays.</span>
      {open}
    </div>
  );
}
