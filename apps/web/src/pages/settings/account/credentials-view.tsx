import { type Credential, type CredentialKind, NewCredential } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { Button, Modal } from '@mantine/core';
import { IconLockAccess, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { z } from 'zod';
import type { Loadable } from '../../../api/loadable.ts';
import { AsCommand, asCommand } from '../../../components/actions/as-command.tsx';
import { ConfirmByName, useAsked } from '../../../components/actions/confirm.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { FormFrame } from '../../../components/form/form-frame.tsx';
import { SchemaFields, useFieldsForm } from '../../../components/form/schema-fields.tsx';
import { choiceBy, fieldsOf, type SchemaField } from '../../../components/form/schema-model.ts';
import { List } from '../../../components/list/list.tsx';
import { PageHeader } from '../../../components/page.tsx';

const KINDS: Record<CredentialKind, string> = { 'https-token': 'HTTPS token', 'ssh-key': 'SSH key' };

export interface CredentialsViewProps {
  credentials: Loadable<{ items: Credential[] }>;
  onCreate: (input: NewCredential) => Promise<unknown>;
  onRemove: (name: string) => Promise<unknown>;
}

export function CredentialsView({ credentials, onCreate, onRemove }: CredentialsViewProps) {
  const [adding, setAdding] = useState(false);
  const remove = useAsked((credential: Credential) => onRemove(credential.name));
  const button = (
    <Button leftSection={<IconPlus size={15} />} onClick={() => setAdding(true)}>
      Add a credential
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Credentials"
        sub="How jobs reach private repositories. Values are kept encrypted and never shown again."
        actions={
          <>
            {credentials.data && credentials.data.items.length > 0 ? button : null}
            <AsCommand {...asCommand(OPERATIONS.credentials.list)} />
          </>
        }
      />
      <List
        label="Credentials"
        of={credentials}
        rowKey={(credential) => credential.name}
        columns={[
          { id: 'name', header: 'Name', cell: ({ name }) => <strong>{name}</strong> },
          { id: 'kind', header: 'Kind', cell: ({ kind }) => KINDS[kind] },
          { id: 'host', header: 'Only for', cell: ({ host }) => host ?? 'any host' },
          { id: 'username', header: 'User', from: 'md', phone: 'hide', cell: ({ username }) => username ?? '' },
          {
            id: 'used',
            header: 'Last used',
            phone: 'label',
            cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} />),
          },
        ]}
        actions={(credential) => (
          <Button variant="subtle" color="red" onClick={() => remove.ask(credential)}>
            Remove
          </Button>
        )}
        empty={{
          icon: <IconLockAccess size={26} stroke={1.4} />,
          sentence: 'A credential lets a job clone a private repository: a token for HTTPS or a key for SSH.',
          action: button,
          command: 'hangar cloud credentials add NAME',
        }}
      />
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a credential">
        <CredentialForm
          onCreate={async (input) => {
            await onCreate(input);
            setAdding(false);
          }}
          onClose={() => setAdding(false)}
        />
      </Modal>
      {remove.about === null ? null : (
        <ConfirmByName
          {...remove.dialog}
          title={`Remove ${remove.about.name}?`}
          gone="Its value is deleted and cannot be had back. Waiting jobs that name it will fail."
          name={remove.about.name}
          action="Remove credential"
        />
      )}
    </>
  );
}

interface CredentialFormProps {
  onCreate: CredentialsViewProps['onCreate'];
  onClose: () => void;
}

const SCHEMA = z.toJSONSchema(NewCredential, { io: 'input' });
const MONO = {
  autosize: false,
  spellCheck: false,
  styles: { input: { fontFamily: 'var(--hg-mono)', fontSize: 12 } },
};
const NAME = { help: '', input: { placeholder: 'github', 'data-autofocus': true } };
const HOST = { label: 'Only for host', help: 'Empty: any host', half: true, input: { placeholder: 'github.com' } };

/** Each kind asks for what it needs. */
const FIELDS: SchemaField[] = [
  choiceBy(SCHEMA, 'kind', { as: 'segments' }, [
    {
      value: 'https-token',
      label: KINDS['https-token'],
      fields: fieldsOf(SCHEMA, {
        without: ['kind', 'knownHosts'],
        words: {
          name: NAME,
          value: { label: 'Token', help: '' },
          host: HOST,
          username: { label: 'User', help: '', half: true, input: { placeholder: 'x-access-token' } },
        },
      }),
    },
    {
      value: 'ssh-key',
      label: KINDS['ssh-key'],
      fields: fieldsOf(SCHEMA, {
        without: ['kind', 'username'],
        words: {
          name: NAME,
          value: { label: 'Private key', help: 'OpenSSH or PEM, without a passphrase', as: 'page' },
          host: HOST,
          knownHosts: {
            label: 'known_hosts',
            help: 'Without it the first key seen is trusted',
            input: { rows: 2, ...MONO },
          },
        },
      }),
    },
  ]),
];

export function CredentialForm({ onCreate, onClose }: CredentialFormProps) {
  const form = useFieldsForm({ schema: NewCredential, fields: FIELDS, keepAs: 'new-credential', submit: onCreate });
  return (
    <FormFrame form={form} action="Add credential" onClose={onClose}>
      <SchemaFields form={form} fields={FIELDS} />
    </FormFrame>
  );
}
