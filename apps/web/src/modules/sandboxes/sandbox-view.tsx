import type { Sandbox } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { isClosed } from '@hangar/contract/state-words';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { formatCount } from '@hangar/contract/words/number';
import { SOON_WAY_OUT, sandboxWords } from '@hangar/contract/words/sandbox';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatSeconds } from '@hangar/contract/words/time';
import { Button } from '@mantine/core';
import { IconPencilPlus, IconPlayerPause, IconPlayerPlay, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { asCommand } from '../../components/actions/as-command.tsx';
import { type Asked, Confirm } from '../../components/actions/confirm.tsx';
import { CopyButton } from '../../components/actions/copy.tsx';
import type { Action } from '../../components/actions/use-action.ts';
import { DetailPage, FactLine } from '../../components/detail/detail-page.tsx';
import { Facts } from '../../components/figures/facts.tsx';
import { Time } from '../../components/figures/time.tsx';
import { Section } from '../../components/page.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { ErrorState } from '../../components/state/states.tsx';
import { SandboxBadge, SessionBadge } from './sandbox-words.tsx';
import classes from './sandboxes.module.css';

export const SANDBOX_TABS = ['executions', 'terminal', 'files', 'diff', 'machine', 'details'] as const;
export type SandboxTab = (typeof SANDBOX_TABS)[number];

export interface SandboxViewProps {
  sandbox: Loadable<Sandbox>;
  tab: SandboxTab;
  onTab: (tab: SandboxTab) => void;
  executions: ReactNode;
  terminal: ReactNode;
  files: ReactNode;
  diff: ReactNode;
  machine: ReactNode;
  /** Jobs work in one's own alone. */
  isMine: boolean;
  /** By its id. */
  close: Asked<string>;
  pause: Action<[]>;
  resume: Action<[]>;
}

export function SandboxView(props: SandboxViewProps) {
  return (
    <DetailPage of={props.sandbox} tab={props.tab} onTab={props.onTab}>
      {(sandbox) => ({
        title: sandbox.name ?? sandbox.id,
        state: <SandboxBadge sandbox={sandbox} />,
        facts: <SubLine sandbox={sandbox} />,
        command: asCommand(OPERATIONS.sandboxes.get, { id: sandbox.id }),
        actions: <Actions {...props} shown={sandbox} />,
        now: <Now {...props} shown={sandbox} />,
        tabs: [
          {
            ...{ id: 'executions', label: 'Executions', body: props.executions },
            ...(sandbox.executionsRunning === 0 ? {} : { count: `${formatCount(sandbox.executionsRunning)} running` }),
          },
          { id: 'terminal', label: 'Terminal', fills: true, body: props.terminal },
          { id: 'files', label: 'Files', body: props.files },
          { id: 'diff', label: 'Diff', body: props.diff },
          { id: 'machine', label: 'Machine', body: props.machine },
          { id: 'details', label: 'Details', body: <Details sandbox={sandbox} /> },
        ],
        dialogs: <AskClose sandbox={sandbox} close={props.close} />,
      })}
    </DetailPage>
  );
}

function SubLine({ sandbox }: { sandbox: Sandbox }) {
  return (
    <FactLine>
      <span className={classes.id}>
        <code>{sandbox.id}</code>
        <CopyButton text={sandbox.id} label="Copy the id of the sandbox" />
      </span>
      <span>
        {sandbox.image ?? sandbox.driver} on {sandbox.profile}
      </span>
      {sandbox.job === null ? null : (
        <span>
          files of{' '}
          <Link to="/jobs/$id" params={{ id: sandbox.job }} className="hg-link">
            {sandbox.job}
          </Link>
        </span>
      )}
      <span>{sandbox.owner.name}</span>
      <SessionBadge {...sandbox} />
      <span>
        opened <Time at={sandbox.createdAt} />
      </span>
      {sandbox.closesAt === null ? null : (
        <span>
          closes <Time at={sandbox.closesAt} />
          {sandbox.closesSoon === 'lifetime' ? '' : ' when nothing is done in it'}
        </span>
      )}
    </FactLine>
  );
}

function Now({ shown: sandbox, pause, resume }: SandboxViewProps & { shown: Sandbox }) {
  const { tone } = sandboxWords(sandbox);
  const isSoon = sandbox.closesSoon !== null;
  const wayOut = sandbox.failure?.wayOut ?? (sandbox.closesSoon === null ? null : SOON_WAY_OUT[sandbox.closesSoon]);
  const isWell = tone === 'ended' || (tone === 'good' && sandbox.session.state !== 'reconnecting' && !isSoon);
  const isPlain = isWell && sandbox.failure === null;
  return (
    <>
      {isPlain ? null : (
        <Callout tone={sandbox.failure !== null ? 'bad' : isSoon ? 'needs' : tone === 'good' ? 'working' : tone}>
          {sandbox.reason}
          {wayOut === null ? '' : `${/[.!?]$/.test(sandbox.reason) ? '' : '.'} ${wayOutFor(wayOut, sandbox.id)}`}
        </Callout>
      )}
      {pause.error === null ? null : <ErrorState error={pause.error} onRetry={pause.run} />}
      {resume.error === null ? null : <ErrorState error={resume.error} onRetry={resume.run} />}
    </>
  );
}

function Actions({ shown: sandbox, isMine, close, pause, resume }: SandboxViewProps & { shown: Sandbox }) {
  if (isClosed(sandbox.state)) return null;
  return (
    <>
      {isMine && sandbox.closeRequestedAt === null && sandbox.state !== 'closing' ? (
        <Button
          renderRoot={(props) => <Link to="/jobs/new" search={{ sandbox: sandbox.id }} {...props} />}
          variant="default"
          leftSection={<IconPencilPlus size={15} />}
        >
          Run a job in it
        </Button>
      ) : null}
      {sandbox.state === 'paused' ? (
        <Button leftSection={<IconPlayerPlay size={15} />} loading={resume.pending} onClick={resume.run}>
          Resume
        </Button>
      ) : null}
      {sandbox.state === 'running' ? (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={15} />}
          loading={pause.pending}
          onClick={pause.run}
        >
          Pause
        </Button>
      ) : null}
      <Button
        variant="default"
        leftSection={<IconX size={15} />}
        disabled={sandbox.closeRequestedAt !== null}
        loading={close.pending}
        onClick={() => close.ask(sandbox.id)}
      >
        {sandbox.closeRequestedAt === null ? 'Close' : 'Closing'}
      </Button>
    </>
  );
}

function AskClose({ sandbox, close }: { sandbox: Sandbox; close: Asked<string> }) {
  return (
    <Confirm
      {...close.dialog}
      opened={close.dialog.opened && !isClosed(sandbox.state)}
      title={`Close ${sandbox.name ?? sandbox.id}?`}
      gone="Its machine is removed with all its files, and what runs in it is ended, jobs as well. What was printed is kept."
      action="Close the sandbox"
    />
  );
}

function Details({ sandbox }: { sandbox: Sandbox }) {
  const { cpus, memoryBytes } = sandbox.resources;
  const metadata = Object.entries(sandbox.metadata);
  return (
    <>
      <Section title="Machine">
        <Facts
          items={[
            ['Profile', sandbox.profile],
            ['Driver', sandbox.driver],
            ...(sandbox.tree === null ? [] : [['Files of its job', sandbox.tree.path] as [string, string]]),
            ['Image', sandbox.image ?? 'that of the profile'],
            ['CPU', cpus === undefined ? 'as the profile says' : `${cpus}`],
            ['Memory', memoryBytes === undefined ? 'as the profile says' : sizeInWords(memoryBytes)],
            ['Environment', sandbox.envNames.length === 0 ? 'none' : sandbox.envNames.join(', ')],
          ]}
        />
      </Section>
      <Section title="Connection">
        <Facts
          items={[
            ['Now', <SessionBadge key="now" {...sandbox} />],
            ['Why', sandbox.session.detail ?? 'Its machine answers'],
          ]}
        />
      </Section>
      <Section title="Limits">
        <Facts
          items={[
            ['Without activity', `closed after ${formatSeconds(sandbox.idleSeconds)}`],
            ['In all', `closed after ${formatSeconds(sandbox.lifetimeSeconds)}`],
            ['Last activity', <Time key="last" at={sandbox.lastActivity} />],
          ]}
        />
      </Section>
      {metadata.length === 0 ? null : (
        <Section title="Metadata">
          <Facts items={metadata} />
        </Section>
      )}
    </>
  );
}
