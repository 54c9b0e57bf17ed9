import type { Device } from '@hangar/contract';
import { Button } from '@mantine/core';
import { IconDeviceLaptop } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { Confirm } from '../../components/confirm.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { Loaded } from '../../components/loaded.tsx';
import { PageHeader } from '../../components/page.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import { Time } from '../../components/time.tsx';
import { useAction } from '../../components/use-action.ts';

export interface DevicesViewProps {
  devices: Loadable<{ items: Device[] }>;
  onRemove: (id: string) => Promise<unknown>;
}

export function DevicesView({ devices, onRemove }: DevicesViewProps) {
  const [leaving, setLeaving] = useState<Device | null>(null);
  const remove = useAction(onRemove, () => setLeaving(null));
  return (
    <>
      <PageHeader
        title="Devices"
        sub="Programs that signed in as you by a code."
        actions={
          <Button component={Link} to="/device" variant="default">
            Enter a code
          </Button>
        }
      />
      <Loaded of={devices} skeleton={<TableSkeleton rows={3} columns={3} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState
              icon={<IconDeviceLaptop size={26} stroke={1.4} />}
              sentence="A program on your machine signs in with a code that you approve here; it then acts as you."
              command="hangar cloud login"
            />
          ) : (
            <DataTable
              label="Devices"
              rows={items}
              rowKey={(device) => device.id}
              columns={[
                { id: 'client', header: 'Program', cell: (device) => <strong>{device.client}</strong> },
                {
                  id: 'since',
                  header: 'Since',
                  phone: 'label',
                  from: 'md',
                  cell: ({ createdAt }) => <Time at={createdAt} />,
                },
                {
                  id: 'used',
                  header: 'Last used',
                  phone: 'label',
                  cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} />),
                },
                { id: 'ends', header: 'Ends', phone: 'hide', cell: ({ expiresAt }) => <Time at={expiresAt} /> },
              ]}
              actions={(device) => (
                <Button variant="subtle" color="red" onClick={() => setLeaving(device)}>
                  Sign out
                </Button>
              )}
            />
          )
        }
      </Loaded>
      <Confirm
        opened={leaving !== null}
        onClose={() => {
          setLeaving(null);
          remove.reset();
        }}
        title={`Sign ${leaving?.client ?? ''} out?`}
        gone="It has to sign in again with a new code. What it started goes on."
        action="Sign out"
        onConfirm={() => leaving && remove.run(leaving.id)}
        pending={remove.pending}
        error={remove.error}
      />
    </>
  );
}
