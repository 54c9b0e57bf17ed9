import type { Activity } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { ActionIcon, Tooltip } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, asCommand } from '../../components/actions/as-command.tsx';
import { Loaded, TableSkeleton } from '../../components/state/states.tsx';
import { ActivityList } from './activity-list.tsx';

export interface ActivityAnswer {
  current: Activity[];
  recent: Activity[];
}

/** The body of the panel and of the operations page. */
export function ActivityPanel({ activity, onFollow }: { activity: Loadable<ActivityAnswer>; onFollow?: () => void }) {
  return (
    <Loaded of={activity} skeleton={<TableSkeleton rows={5} columns={2} />}>
      {(data) => <ActivityList {...data} {...(onFollow ? { onFollow } : {})} />}
    </Loaded>
  );
}

export function ActivityActions({ onRefresh, refreshing }: { onRefresh: () => void; refreshing: boolean }) {
  return (
    <>
      <Tooltip label="Refresh">
        <ActionIcon variant="default" size={32} aria-label="Refresh" onClick={onRefresh} loading={refreshing}>
          <IconRefresh size={16} />
        </ActionIcon>
      </Tooltip>
      <AsCommand {...asCommand(OPERATIONS.activity.list)} />
    </>
  );
}
