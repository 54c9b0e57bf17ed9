import type { Execution, Sandbox } from '@hangar/contract';
import { executionWords, SESSION_WORDS, sandboxWords } from '@hangar/contract/words/sandbox';
import { formatDuration, spanMs } from '@hangar/contract/words/time';
import { useNow } from '../../components/figures/time.tsx';
import { StateBadge } from '../../components/state/state-badge.tsx';
import classes from './sandboxes.module.css';

export function SandboxBadge({ sandbox }: { sandbox: Pick<Sandbox, 'state' | 'stateSince' | 'closeRequestedAt'> }) {
  return (
    <span className={classes.badge}>
      <StateBadge {...sandboxWords(sandbox)} since={sandbox.closeRequestedAt ?? sandbox.stateSince} />
    </span>
  );
}

export function SessionBadge({ session }: Pick<Sandbox, 'session'>) {
  return (
    <span className={classes.badge}>
      <StateBadge {...SESSION_WORDS[session.state]} {...(session.since === null ? {} : { since: session.since })} />
    </span>
  );
}

export function ExecutionBadge({ execution }: { execution: Execution }) {
  const { tone, word } = executionWords(execution);
  const code = execution.exitCode === null || execution.exitCode === 0 ? '' : ` (${execution.exitCode})`;
  return (
    <span className={classes.badge}>
      <StateBadge tone={tone} word={`${word}${code}`} />
    </span>
  );
}

/** From its start to now or to its end. */
export function ExecutionElapsed({ execution }: { execution: Pick<Execution, 'startedAt' | 'finishedAt'> }) {
  const { startedAt, finishedAt } = execution;
  if (startedAt === null) return <>–</>;
  return finishedAt === null ? (
    <Running startedAt={startedAt} />
  ) : (
    <span className="hg-num">{formatDuration(spanMs(startedAt, finishedAt))}</span>
  );
}

function Running({ startedAt }: { startedAt: string }) {
  const now = useNow();
  return <span className="hg-num">{formatDuration(spanMs(startedAt, null, now))}</span>;
}
