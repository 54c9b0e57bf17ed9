import type { Execution } from '@hangar/contract';
import { isEnded } from '@hangar/contract/state-words';
import { Button, TextInput } from '@mantine/core';
import { IconBriefcase2, IconPlayerPlay, IconPlayerStop, IconTerminal2 } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import type { Pages } from '../../api/pages.ts';
import type { Action } from '../../components/actions/use-action.ts';
import { More } from '../../components/list/list.tsx';
import { EmptyState, ErrorState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { ExecutionBadge, ExecutionElapsed } from './sandbox-words.tsx';
import classes from './sandboxes.module.css';

export interface ExecutionPanelProps {
  executions: Loadable<Pages<Execution>>;
  onMore: () => void;
  loadingMore: boolean;
  /** The one whose output is shown; null: the newest. */
  chosen: string | null;
  onChoose: (id: string) => void;
  /** A line for sh. */
  execute: Action<[string]>;
  /** Why nothing can be executed now; null: it can. */
  unable: string | null;
  cancel: Action<[string]>;
  outputOf: (execution: Execution) => ReactNode;
  /** To the terminal of one that has one. */
  onTerminal: (id: string) => void;
  /** What the machine uses, while something runs in it. */
  monitor: ReactNode;
}

/** A command line, what was executed, and what it prints. */
export function ExecutionPanel(props: ExecutionPanelProps) {
  const { execute, unable } = props;
  const [line, setLine] = useState('');
  return (
    <>
      <form
        className={classes.command}
        onSubmit={(event) => {
          event.preventDefault();
          if (line.trim() === '' || unable !== null || execute.pending) return;
          execute.run(line);
          setLine('');
        }}
      >
        <TextInput
          aria-label="Command"
          placeholder={unable ?? 'A command, as for sh'}
          disabled={unable !== null}
          value={line}
          onChange={(event) => setLine(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        />
        <Button
          type="submit"
          leftSection={<IconPlayerPlay size={15} />}
          disabled={unable !== null}
          loading={execute.pending}
        >
          Run
        </Button>
      </form>
      {execute.error === null ? null : <ErrorState error={execute.error} />}
      {props.cancel.error === null ? null : <ErrorState error={props.cancel.error} />}
      {props.monitor}
      <Loaded of={props.executions} skeleton={<LinesSkeleton lines={4} />}>
        {({ items, more }) =>
          items.length === 0 ? (
            <EmptyState sentence="Nothing was executed in it yet." />
          ) : (
            <Executed {...props} items={items} more={more} />
          )
        }
      </Loaded>
    </>
  );
}

function Executed(props: ExecutionPanelProps & { items: readonly Execution[]; more: boolean }) {
  const { items, more, chosen, onChoose, cancel, outputOf } = props;
  const shown = items.find(({ id }) => id === chosen) ?? items[0];
  return (
    <div className={classes.columns}>
      <div>
        <ul className={classes.executions} aria-label="Executions">
          {items.map((execution) => (
            <li key={execution.id}>
              <button
                type="button"
                className={classes.execution}
                aria-current={execution.id === shown?.id}
                onClick={() => onChoose(execution.id)}
              >
                <span className={classes.title}>{execution.title}</span>
                <span className={classes.line}>
                  <ExecutionBadge execution={execution} />
                  <ExecutionElapsed execution={execution} />
                </span>
              </button>
            </li>
          ))}
        </ul>
        {more ? <More label="Show older" loading={props.loadingMore} onMore={props.onMore} /> : null}
      </div>
      {shown === undefined ? null : (
        <div className={classes.output}>
          <div className={classes.outputHead}>
            <code title={shown.title}>{shown.title}</code>
            <ExecutionBadge execution={shown} />
            <ExecutionElapsed execution={shown} />
            {shown.terminal && !isEnded(shown.state) ? (
              <Button
                variant="default"
                leftSection={<IconTerminal2 size={15} />}
                onClick={() => props.onTerminal(shown.id)}
              >
                Join
              </Button>
            ) : null}
            {shown.job !== null ? (
              <OpenJob id={shown.job} />
            ) : isEnded(shown.state) ? null : (
              <Button
                variant="default"
                leftSection={<IconPlayerStop size={15} />}
                disabled={shown.cancelRequestedAt !== null}
                loading={cancel.pending}
                onClick={() => cancel.run(shown.id)}
              >
                {shown.cancelRequestedAt === null ? 'Cancel' : 'Cancelling'}
              </Button>
            )}
          </div>
          {outputOf(shown)}
        </div>
      )}
    </div>
  );
}

/** A worker is ended by cancelling its job: ended here, the job would fail in place of being cancelled. */
function OpenJob({ id }: { id: string }) {
  return (
    <Button
      renderRoot={(props) => <Link to="/jobs/$id" params={{ id }} {...props} />}
      variant="default"
      leftSection={<IconBriefcase2 size={15} />}
    >
      Open job
    </Button>
  );
}
