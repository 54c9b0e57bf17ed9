import { type Credential, type CredentialKind, NewCredential } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { Button, Group, Modal, PasswordInput, SegmentedControl, Stack, Textarea, TextInput } from '@mantine/core';
import { IconLockAccess, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { AsCommand, asCommand } from '../../components/as-command.tsx';
import { ConfirmByName } from '../../components/confirm.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { useSchemaForm } from '../../components/form/use-schema-form.ts';
import { Loaded } from '../../components/loaded.tsx';
import { PageHeader } from '../../components/page.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import { Time } from '../../components/time.tsx';
import { useAction } from '../../components/use-action.ts';
import classes from './settings.module.css';

const KINDS: Record<CredentialKind, string> = { 'https-token': 'HTTPS token', 'ssh-key': 'SSH key' };
const EMPTY: { name: string; kind: CredentialKind; host: string; username: string; value: string; knownHosts: string } =
  {
    name: '',
    kind: 'https-token',
    host: '',
    username: '',
    value: '',
    knownHosts: '',
  };
const SECRETS = ['value'] as const;

export interface CredentialsViewProps {
  credentials: Loadable<{ items: Credential[] }>;
  onCreate: (input: NewCredential) => Promise<unknown>;
  onRemove: (name: string) => Promise<unknown>;
}

export function CredentialsView({ credentials, onCreate, onRemove }: CredentialsViewProps) {
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Credential | null>(null);
  const remove = useAction(onRemove, () => setLeaving(null));
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
      <Loaded of={credentials} skeleton={<TableSkeleton rows={3} columns={4} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState
              icon={<IconLockAccess size={26} stroke={1.4} />}
              sentence="A credential lets a job clone a private repository: a token for HTTPS or a key for SSH."
              action={button}
              command="hangar cloud credentials add NAME"
            />
          ) : (
            <DataTable
              label="Credentials"
              rows={items}
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
                <Button variant="subtle" color="red" onClick={() => setLeaving(credential)}>
                  Remove
                </Button>
              )}
            />
          )
        }
      </Loaded>
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a credential">
        <CredentialForm
          onCreate={async (input) => {
            await onCreate(input);
            setAdding(false);
          }}
          onClose={() => setAdding(false)}
        />
      </Modal>
      {leaving === null ? null : (
        <ConfirmByName
          opened
          onClose={() => {
            setLeaving(null);
            remove.reset();
          }}
          title={`Remove ${leaving.name}?`}
          gone="Its value is deleted and cannot be had back. Waiting jobs that name it will fail."
          name={leaving.name}
          action="Remove credential"
          onConfirm={() => remove.run(leaving.name)}
          pending={remove.pending}
          error={remove.error}
        />
      )}
    </>
  );
}

interface CredentialFormProps {
  onCreate: CredentialsViewProps['onCreate'];
  onClose: () => void;
}

export function CredentialForm({ onCreate, onClose }: CredentialFormProps) {
  const form = useSchemaForm({
    schema: NewCredential,
    initial: EMPTY,
    keepAs: 'new-credential',
    secrets: SECRETS,
    submit: onCreate,
  });
  const isToken = form.values.kind === 'https-token';
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Stack gap={14}>
        <SegmentedControl
          aria-label="Kind"
          data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))}
          value={form.values.kind}
          onChange={(kind) => form.set('kind', kind === 'ssh-key' ? 'ssh-key' : 'https-token')}
        />
        <TextInput label="Name" placeholder="github" data-autofocus {...form.text('name')} />
        {isToken ? (
          <PasswordInput label="Token" autoComplete="off" {...form.text('value')} />
        ) : (
          <Textarea
            label="Private key"
            description="OpenSSH or PEM, without a passphrase"
            rows={5}
            spellCheck={false}
            autoComplete="off"
            styles={{ input: { fontFamily: 'var(--hg-mono)', fontSize: 12 } }}
            {...form.text('value')}
          />
        )}
        <div className={classes.pair}>
          <TextInput
            label="Only for host"
            placeholder="github.com"
            description="Empty: any host"
            {...form.text('host')}
          />
          {isToken ? <TextInput label="User" placeholder="x-access-token" {...form.text('username')} /> : null}
        </div>
        {isToken ? null : (
          <Textarea
            label="known_hosts"
            description="Without it the first key seen is trusted"
            rows={2}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--hg-mono)', fontSize: 12 } }}
            {...form.text('knownHosts')}
          />
        )}
        {form.error ? <ErrorState error={form.error} /> : null}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={form.pending}>
            Add credential
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
