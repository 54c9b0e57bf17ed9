import { type ApiKey, contract } from '@hangar/contract';
import { Button, Modal } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { z } from 'zod';
import type { Loadable } from '../../../api/loadable.ts';
import { Confirm, useAsked } from '../../../components/actions/confirm.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { FormFrame } from '../../../components/form/form-frame.tsx';
import { SchemaFields, useFieldsForm } from '../../../components/form/schema-fields.tsx';
import { fieldsOf } from '../../../components/form/schema-model.ts';
import { inputSchema } from '../../../components/form/use-schema-form.ts';
import { List } from '../../../components/list/list.tsx';
import { PageHeader } from '../../../components/page.tsx';
import { Once } from '../once.tsx';

const schema = inputSchema(contract.access.createApiKey);

type NewKey = { name: string; expiresInDays?: number | undefined };

export interface KeysViewProps {
  keys: Loadable<{ items: ApiKey[] }>;
  onCreate: (input: NewKey) => Promise<ApiKey & { key: string }>;
  onRemove: (id: string) => Promise<unknown>;
}

export function KeysView({ keys, onCreate, onRemove }: KeysViewProps) {
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<(ApiKey & { key: string }) | null>(null);
  const remove = useAsked((key: ApiKey) => onRemove(key.id));
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
      <List
        label="API keys"
        of={keys}
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
          <Button variant="subtle" color="red" onClick={() => remove.ask(key)}>
            Revoke
          </Button>
        )}
        empty={{
          icon: <IconKey size={26} stroke={1.4} />,
          sentence: 'A key lets a script or a CI job use this server as you, without a browser.',
          action: button,
          command: 'hangar cloud login --with-token < key.txt',
        }}
      />
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
        {...remove.dialog}
        title={`Revoke ${remove.about?.name ?? ''}?`}
        gone="Programs that use this key are refused from now on. This cannot be undone."
        action="Revoke key"
      />
    </>
  );
}

const FIELDS = fieldsOf(z.toJSONSchema(schema, { io: 'input' }), {
  words: {
    name: { input: { placeholder: 'ci of the notes repository', 'data-autofocus': true } },
    expiresInDays: {
      label: 'Ends after',
      help: 'Empty: never',
      input: { suffix: ' days', allowDecimal: false },
    },
  },
});

export function KeyForm({ onCreate, onClose }: { onCreate: (input: NewKey) => Promise<unknown>; onClose: () => void }) {
  const form = useFieldsForm({
    schema,
    fields: FIELDS,
    of: { expiresInDays: 90 },
    keepAs: 'new-key',
    submit: onCreate,
  });
  return (
    <FormFrame form={form} action="Make key" onClose={onClose}>
      <SchemaFields form={form} fields={FIELDS} />
    </FormFrame>
  );
}
