import { type ApiKey, contract } from '@hangar/contract';
import { Button, Group, Modal, NumberInput, Stack, TextInput } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { inputSchema } from '../../api/input-schema.ts';
import type { Loadable } from '../../api/loadable.ts';
import { Confirm } from '../../components/confirm.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { useSchemaForm } from '../../components/form/use-schema-form.ts';
import { Loaded } from '../../components/loaded.tsx';
import { PageHeader } from '../../components/page.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import { Time } from '../../components/time.tsx';
import { useAction } from '../../components/use-action.ts';
import { Once } from './once.tsx';

const schema = inputSchema(contract.access.createApiKey);
const EMPTY: { name: string; expiresInDays: number | string } = { name: '', expiresInDays: 90 };

type NewKey = { name: string; expiresInDays?: number | undefined };

export interface KeysViewProps {
  keys: Loadable<{ items: ApiKey[] }>;
  onCreate: (input: NewKey) => Promise<ApiKey & { key: string }>;
  onRemove: (id: string) => Promise<unknown>;
}

export function KeysView({ keys, onCreate, onRemove }: KeysViewProps) {
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<(ApiKey & { key: string }) | null>(null);
  const [leaving, setLeaving] = useState<ApiKey | null>(null);
  const remove = useAction(onRemove, () => setLeaving(null));
  const button = (
    <Button leftSection={<IconPlus size={15} />} onClick={() => setMaking(true)}>
      New key
    </Button>
  );
  return (
    <>
      <PageHeader
        title="API keys"
        sub="For machines: a key acts as you until it ends or you revoke it."
        actions={keys.data && keys.data.items.length > 0 ? button : undefined}
      />
      <Loaded of={keys} skeleton={<TableSkeleton rows={3} columns={4} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState
              icon={<IconKey size={26} stroke={1.4} />}
              sentence="A key lets a script or a CI job use this server as you, without a browser."
              action={button}
              command="hangar cloud login --with-token < key.txt"
            />
          ) : (
            <DataTable
              label="API keys"
              rows={items}
              rowKey={(key) => key.id}
              columns={[
                { id: 'name', header: 'Name', cell: (key) => <strong>{key.name}</strong> },
                { id: 'prefix', header: 'Begins with', cell: (key) => <code>{key.prefix}…</code> },
                { id: 'since', header: 'Made', from: 'md', phone: 'hide', cell: (key) => <Time at={key.createdAt} /> },
                {
                  id: 'used',
                  header: 'Last used',
                  phone: 'label',
                  cell: (key) => (key.lastUsedAt === null ? 'never' : <Time at={key.lastUsedAt} />),
                },
                {
                  id: 'ends',
                  header: 'Ends',
                  from: 'md',
                  phone: 'hide',
                  cell: (key) => (key.expiresAt === null ? 'never' : <Time at={key.expiresAt} />),
                },
              ]}
              actions={(key) => (
                <Button variant="subtle" color="red" onClick={() => setLeaving(key)}>
                  Revoke
                </Button>
              )}
            />
          )
        }
      </Loaded>
      <Modal opened={making} onClose={() => setMaking(false)} title="New API key">
        <KeyForm
          onCreate={async (input) => {
            setMade(await onCreate(input));
            setMaking(false);
          }}
          onClose={() => setMaking(false)}
        />
      </Modal>
      <Once
        opened={made !== null}
        onClose={() => setMade(null)}
        title={`Key ${made?.name ?? ''}`}
        value={made?.key ?? ''}
      >
        <div>In a script set it as HANGAR_TOKEN, or sign the command in with it: hangar cloud login --with-token</div>
      </Once>
      <Confirm
        opened={leaving !== null}
        onClose={() => {
          setLeaving(null);
          remove.reset();
        }}
        title={`Revoke ${leaving?.name ?? ''}?`}
        gone="Programs that use this key are refused from now on. This cannot be undone."
        action="Revoke key"
        onConfirm={() => leaving && remove.run(leaving.id)}
        pending={remove.pending}
        error={remove.error}
      />
    </>
  );
}

export function KeyForm({ onCreate, onClose }: { onCreate: (input: NewKey) => Promise<unknown>; onClose: () => void }) {
  const form = useSchemaForm({ schema, initial: EMPTY, keepAs: 'new-key', submit: onCreate });
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Stack gap={14}>
        <TextInput label="Name" placeholder="ci of the notes repository" data-autofocus {...form.text('name')} />
        <NumberInput
          label="Ends after"
          suffix=" days"
          min={1}
          max={3650}
          description="Empty: never"
          allowDecimal={false}
          {...form.pick('expiresInDays')}
        />
        {form.error ? <ErrorState error={form.error} /> : null}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={form.pending}>
            Make key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
