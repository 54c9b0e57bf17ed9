import { HangarError } from '@hangar/contract';
import { Button, Group, Stack, TextInput } from '@mantine/core';
import type { GalleryEntry } from '../gallery/registry.ts';
import { ago } from '../gallery/samples.ts';
import { AsCommand } from './actions/as-command.tsx';
import { Confirm, ConfirmByName } from './actions/confirm.tsx';
import { Command, CopyButton } from './actions/copy.tsx';
import { DurationBar } from './figures/duration-bar.tsx';
import { DataTable } from './list/data-table.tsx';
import { PageHeader, Section } from './page.tsx';
import { StateBadge } from './state/state-badge.tsx';
import { EmptyState, ErrorState, LinesSkeleton, TableSkeleton } from './state/states.tsx';

const nothing = () => {};

const BADGES = [
  { tone: 'waiting', word: 'Waiting', since: ago(190) },
  { tone: 'working', word: 'Running', since: ago(64) },
  { tone: 'good', word: 'Done', since: ago(4000) },
  { tone: 'needs', word: 'Needs you', since: ago(610) },
  { tone: 'bad', word: 'Failed', since: ago(90_000) },
  { tone: 'ended', word: 'Cancelled', since: ago(3_000_000) },
] as const;

export const entries: GalleryEntry[] = [
  {
    id: 'components/states',
    title: 'The state vocabulary, durations, buttons',
    render: () => (
      <>
        <PageHeader
          title="Add full-text search to the notes list"
          state={<StateBadge tone="working" word="Running" since={ago(64)} />}
          sub="notes · main · claude on builder"
          actions={
            <>
              <Button variant="default">Cancel</Button>
              <Button>Retry</Button>
              <AsCommand hangar="hangar cancel j_7k2m9qx4" curl="curl -fsS …" />
            </>
          }
        />
        <Section title="States" description="Icon, word and since when">
          <Stack gap={10} align="flex-start">
            {BADGES.map((badge) => (
              <StateBadge key={badge.word} {...badge} />
            ))}
          </Stack>
        </Section>
        <Section title="Durations">
          <Stack gap={6} maw={320}>
            <DurationBar ms={480} maxMs={190_000} />
            <DurationBar ms={12_400} maxMs={190_000} tone="good" />
            <DurationBar ms={184_000} maxMs={190_000} tone="working" />
          </Stack>
        </Section>
        <Section title="Buttons and fields">
          <Stack gap={16}>
            <Group gap={8}>
              <Button>Primary</Button>
              <Button variant="default">Default</Button>
              <Button variant="subtle">Subtle</Button>
              <Button color="red">Remove</Button>
              <Button disabled>Disabled</Button>
              <Button loading>Loading</Button>
              <CopyButton text="j_7k2m9qx4" label="Copy the job id" />
            </Group>
            <Group gap={16} align="flex-start">
              <TextInput label="Name" placeholder="laptop" description="To tell it apart" />
              <TextInput label="Email" defaultValue="ada@" error="An email address, like name@example.com" />
            </Group>
            <Command text="hangar run --cloud --spec add-search.md --agent claude --on builder --timeout 2h" />
          </Stack>
        </Section>
      </>
    ),
  },
  {
    id: 'components/waiting',
    title: 'Skeletons',
    render: () => (
      <Stack gap={32}>
        <TableSkeleton />
        <LinesSkeleton />
      </Stack>
    ),
  },
  {
    id: 'components/errors',
    title: 'Errors and empty',
    render: () => (
      <Stack gap={24}>
        <ErrorState error={new HangarError('internal', { details: { reference: 'r_8f3k2m9q' } })} onRetry={nothing} />
        <ErrorState error={new HangarError('profile_in_use')} />
        <EmptyState
          sentence="A job sends a repository and a spec to an agent somewhere else and brings the diff back."
          action={<Button>New job</Button>}
          command="hangar run --cloud --spec spec.md"
        />
      </Stack>
    ),
  },
  {
    id: 'components/table',
    title: 'Table',
    render: () => (
      <DataTable
        label="Jobs"
        rowKey={(row) => row.id}
        href={() => '/jobs'}
        columns={[
          { id: 'title', header: 'Title', cell: (row) => row.title },
          { id: 'state', header: 'State', cell: () => <StateBadge tone="working" word="Running" since={ago(64)} /> },
          { id: 'id', header: 'Id', from: 'md', phone: 'hide', cell: (row) => <code>{row.id}</code> },
          { id: 'took', header: 'Took', align: 'right', cell: (row) => row.took },
        ]}
        rows={[
          { id: 'j_7k2m9qx4', title: 'Add full-text search to the notes list', took: '3 min 4 s' },
          { id: 'j_4p8v1cz0', title: 'Correct the time zone of the export', took: '7 min' },
        ]}
        actions={(row) => <CopyButton text={row.id} label="Copy the job id" />}
      />
    ),
  },
  {
    id: 'components/confirm',
    title: 'Confirm by name',
    render: () => (
      <ConfirmByName
        opened
        onClose={nothing}
        title="Remove profile builder?"
        gone="Its settings and limits are gone. Jobs that ran on it stay."
        name="builder"
        action="Remove profile"
        onConfirm={nothing}
        pending={false}
      />
    ),
  },
  {
    id: 'components/confirm-error',
    title: 'Confirm with an error',
    render: () => (
      <Confirm
        opened
        onClose={nothing}
        title="Revoke laptop?"
        gone="Programs that use this key are signed out at once."
        action="Revoke key"
        onConfirm={nothing}
        pending={false}
        error={new HangarError('server_unreachable')}
      />
    ),
  },
];
