import type { Sandbox } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import { Button } from '@mantine/core';
import { IconBox, IconPlus } from '@tabler/icons-react';
import type { Loadable } from '../../api/loadable.ts';
import type { Pages } from '../../api/pages.ts';
import { asCommand } from '../../components/actions/as-command.tsx';
import { Time } from '../../components/figures/time.tsx';
import type { Column } from '../../components/list/data-table.tsx';
import { ListPage, More } from '../../components/list/list.tsx';
import { Groups, ListFilters, Pick, Whose } from '../../components/list/list-filters.tsx';
import { GROUPS, SANDBOXES_FILTER, type SandboxesFilter, type SandboxGroup, statesOf } from './filter.ts';
import { SandboxBadge, SessionBadge } from './sandbox-words.tsx';
import classes from './sandboxes.module.css';

export interface SandboxesViewProps {
  sandboxes: Loadable<Pages<Sandbox>>;
  onMore: () => void;
  loadingMore: boolean;
  filter: SandboxesFilter;
  onFilter: (filter: SandboxesFilter) => void;
  profiles: readonly string[];
  isAdmin: boolean;
  onOpen: () => void;
}

export function SandboxesView(props: SandboxesViewProps) {
  const { filter, onFilter } = props;
  const open = (
    <Button leftSection={<IconPlus size={15} />} onClick={props.onOpen}>
      Open a sandbox
    </Button>
  );
  return (
    <ListPage
      label="Sandboxes"
      of={props.sandboxes}
      command={listCommand(filter)}
      action={open}
      filters={<Filters {...props} />}
      columns={columnsFor(filter.everybody)}
      rowKey={({ id }) => id}
      href={({ id }) => `/sandboxes/${id}`}
      empty={{
        icon: <IconBox size={28} />,
        sentence: 'A sandbox is a machine of your own on any profile: run commands in it and watch what they print.',
        action: open,
        command: 'hangar sandbox open',
      }}
      noMatch={
        SANDBOXES_FILTER.isFiltered(filter) && {
          sentence: 'No sandbox fits this filter.',
          onClear: () => onFilter(SANDBOXES_FILTER.cleared(filter)),
        }
      }
      below={({ more }) =>
        more ? <More label="Show older sandboxes" loading={props.loadingMore} onMore={props.onMore} /> : null
      }
    />
  );
}

function Filters({ filter, onFilter, profiles, isAdmin }: SandboxesViewProps) {
  const change = (part: Partial<SandboxesFilter>) => onFilter({ ...filter, ...part });
  return (
    <ListFilters>
      <Groups<SandboxGroup>
        label="Which sandboxes"
        value={filter.group}
        onValue={(group) => change({ group })}
        options={GROUPS}
      />
      <Pick
        label="Profile"
        any="Any profile"
        value={filter.profile}
        onValue={(profile) => change({ profile })}
        options={profiles}
      />
      {isAdmin ? (
        <Whose of="sandboxes" everybody={filter.everybody} onEverybody={(everybody) => change({ everybody })} />
      ) : null}
    </ListFilters>
  );
}

function columnsFor(everybody: boolean): Column<Sandbox>[] {
  const columns: Column<Sandbox>[] = [
    { id: 'name', header: 'Sandbox', cell: (sandbox) => <NameCell sandbox={sandbox} />, width: '34%' },
    { id: 'state', header: 'State', cell: (sandbox) => <SandboxBadge sandbox={sandbox} />, width: '184px' },
    {
      id: 'session',
      header: 'Connection',
      cell: (sandbox) => <SessionBadge {...sandbox} />,
      from: 'lg',
      phone: 'hide',
    },
    {
      id: 'running',
      header: 'Running',
      cell: ({ executionsRunning }) => <span className="hg-num">{executionsRunning}</span>,
      width: '84px',
      phone: 'label',
    },
    { id: 'activity', header: 'Last activity', cell: ({ lastActivity }) => <Time at={lastActivity} />, width: '120px' },
    { id: 'profile', header: 'Profile', cell: ({ profile }) => profile, from: 'md', phone: 'hide' },
  ];
  if (everybody) columns.push({ id: 'owner', header: 'Owner', cell: ({ owner }) => owner.name, from: 'md' });
  return columns;
}

/** One that waits, starts or ended badly says why. */
function NameCell({ sandbox }: { sandbox: Sandbox }) {
  const { tone } = sandboxWords(sandbox);
  const saysWhy = tone === 'waiting' || tone === 'bad' || sandbox.state === 'starting';
  return (
    <span className={classes.nameCell}>
      <span className={classes.nameLine}>
        <span className={classes.name}>{sandbox.name ?? sandbox.id}</span>
        <span className={classes.sub}>{sandbox.image ?? sandbox.driver}</span>
      </span>
      {saysWhy ? <span className={classes.sub}>{sandbox.reason}</span> : null}
    </span>
  );
}

function listCommand(filter: SandboxesFilter) {
  return asCommand(OPERATIONS.sandboxes.list, {
    state: statesOf(filter.group),
    mine: filter.everybody ? false : undefined,
    profile: filter.profile ?? undefined,
  });
}
