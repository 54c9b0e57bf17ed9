import type { Device } from '@hangar/contract';
import { Button } from '@mantine/core';
import { IconDeviceLaptop } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Loadable } from '../../../api/loadable.ts';
import { Confirm, useAsked } from '../../../components/actions/confirm.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { List } from '../../../components/list/list.tsx';
import { PageHeader } from '../../../components/page.tsx';

export interface DevicesViewProps {
  devices: Loadable<{ items: Device[] }>;
  onRemove: (id: string) => Promise<unknown>;
}

export function DevicesView({ devices, onRemove }: DevicesViewProps) {
  const remove = useAsked((device: Device) => onRemove(device.id));
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
      <List
        label="Devices"
        of={devices}
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
          <Button variant="subtle" color="red" onClick={() => remove.ask(device)}>
            Sign out
          </Button>
        )}
        empty={{
          icon: <IconDeviceLaptop size={26} stroke={1.4} />,
          sentence: 'A program on your machine signs in with a code that you approve here; it then acts as you.',
          command: 'hangar cloud login',
        }}
      />
      <Confirm
        {...remove.dialog}
        title={`Sign ${remove.about?.client ?? ''} out?`}
        gone="It has to sign in again with a new code. What it started goes on."
        action="Sign out"
      />
    </>
  );
}
