import { Plan } from '@hangar/contract';
import { sizeInWords } from '@hangar/contract/words/size';
import { Button, Group, Modal, NumberInput, Stack, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { DataTable } from '../../components/data-table.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { useSchemaForm } from '../../components/form/use-schema-form.ts';
import { formatCount, formatDuration } from '../../components/format.ts';
import { Loaded } from '../../components/loaded.tsx';
import { PageHeader } from '../../components/page.tsx';
import { TableSkeleton } from '../../components/skeletons.tsx';
import classes from './settings.module.css';

const MIB = 1024 * 1024;

export interface PlansViewProps {
  plans: Loadable<{ items: Plan[] }>;
  isAdmin: boolean;
  onPut: (plan: Plan) => Promise<unknown>;
}

export function PlansView({ plans, isAdmin, onPut }: PlansViewProps) {
  const [editing, setEditing] = useState<Plan | 'new' | null>(null);
  const button = (
    <Button leftSection={<IconPlus size={15} />} onClick={() => setEditing('new')}>
      New plan
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Plans"
        sub="What a person may use. Each person has one plan."
        actions={isAdmin ? button : undefined}
      />
      <Loaded of={plans} skeleton={<TableSkeleton rows={3} columns={5} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState sentence="A plan limits how many jobs a person runs, and for how long." />
          ) : (
            <DataTable
              label="Plans"
              rows={items}
              rowKey={(plan) => plan.id}
              columns={[
                {
                  id: 'title',
                  header: 'Plan',
                  cell: (plan) => (
                    <>
                      <strong>{plan.title}</strong> <code className={classes.dim}>{plan.id}</code>
                    </>
                  ),
                },
                { id: 'jobs', header: 'Jobs at once', cell: (plan) => `${formatCount(plan.jobsAtOnce)} at once` },
                {
                  id: 'waiting',
                  header: 'Waiting',
                  from: 'lg',
                  cell: (plan) => `${formatCount(plan.jobsWaiting)} waiting`,
                },
                {
                  id: 'minutes',
                  header: 'Minutes a month',
                  phone: 'label',
                  cell: (plan) =>
                    plan.minutesPerMonth === null ? 'no limit' : `${formatCount(plan.minutesPerMonth)} min`,
                },
                {
                  id: 'timeout',
                  header: 'Timeout',
                  phone: 'label',
                  cell: (plan) => formatDuration(plan.maxTimeoutSeconds * 1000),
                },
                {
                  id: 'artifacts',
                  header: 'Artifacts',
                  from: 'lg',
                  phone: 'hide',
                  cell: (plan) => sizeInWords(plan.maxArtifactBytes),
                },
                {
                  id: 'log',
                  header: 'Log',
                  from: 'lg',
                  phone: 'hide',
                  cell: (plan) => sizeInWords(plan.maxLogBytes),
                },
              ]}
              {...(isAdmin
                ? {
                    actions: (plan: Plan) => (
                      <Button variant="subtle" onClick={() => setEditing(plan)}>
                        Change
                      </Button>
                    ),
                  }
                : {})}
            />
          )
        }
      </Loaded>
      <Modal
        opened={editing !== null}
        onClose={() => setEditing(null)}
        title={editing === 'new' ? 'New plan' : `Plan ${editing?.title ?? ''}`}
      >
        {editing === null ? null : (
          <PlanForm
            plan={editing === 'new' ? null : editing}
            onPut={async (plan) => {
              await onPut(plan);
              setEditing(null);
            }}
            onClose={() => setEditing(null)}
          />
        )}
      </Modal>
    </>
  );
}

interface PlanFormProps {
  /** Null for a new one. */
  plan: Plan | null;
  onPut: (plan: Plan) => Promise<unknown>;
  onClose: () => void;
}

type PlanValues = Record<keyof Plan, number | string>;

const NEW: PlanValues = {
  id: '',
  title: '',
  jobsAtOnce: 2,
  jobsWaiting: 50,
  minutesPerMonth: '',
  maxTimeoutSeconds: 14_400,
  maxArtifactBytes: 512 * MIB,
  maxLogBytes: 100 * MIB,
  keepLogDays: '',
  keepArtifactDays: '',
  keepBytes: '',
};

/** An empty number of minutes is no limit. */
const schema = Plan.partial({ minutesPerMonth: true }).transform((plan) => ({
  ...plan,
  minutesPerMonth: plan.minutesPerMonth ?? null,
}));

/** As fields: what has no limit is empty. */
const fieldsOf = (plan: Plan): PlanValues => ({
  ...plan,
  minutesPerMonth: plan.minutesPerMonth ?? '',
  keepLogDays: plan.keepLogDays ?? '',
  keepArtifactDays: plan.keepArtifactDays ?? '',
  keepBytes: plan.keepBytes ?? '',
});

export function PlanForm({ plan, onPut, onClose }: PlanFormProps) {
  const form = useSchemaForm({
    schema,
    initial: plan === null ? NEW : fieldsOf(plan),
    submit: onPut,
  });
  /** A number kept in a smaller unit than it is typed in. */
  const scaled = (name: keyof Plan, unit: number) => {
    const field = form.pick(name);
    const value = typeof field.value === 'number' ? field.value / unit : '';
    return {
      ...field,
      value,
      onChange: (typed: number | string) => field.onChange(typed === '' ? '' : Math.round(Number(typed) * unit)),
    };
  };
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Stack gap={14}>
        <div className={classes.pair}>
          <TextInput label="Title" data-autofocus {...form.text('title')} />
          <TextInput label="Short name" disabled={plan !== null} placeholder="team" {...form.text('id')} />
        </div>
        <div className={classes.pair}>
          <NumberInput label="Jobs at once" min={1} {...form.pick('jobsAtOnce')} />
          <NumberInput label="Jobs waiting" min={1} {...form.pick('jobsWaiting')} />
        </div>
        <div className={classes.pair}>
          <NumberInput
            label="Minutes a month"
            description="Empty: no limit"
            min={1}
            thousandSeparator=","
            {...form.pick('minutesPerMonth')}
          />
          <NumberInput label="Longest timeout" suffix=" min" min={1} {...scaled('maxTimeoutSeconds', 60)} />
        </div>
        <div className={classes.pair}>
          <NumberInput label="Artifacts of a job" suffix=" MiB" min={1} {...scaled('maxArtifactBytes', MIB)} />
          <NumberInput label="Log of a job" suffix=" MiB" min={1} {...scaled('maxLogBytes', MIB)} />
        </div>
        <div className={classes.pair}>
          <NumberInput
            label="Keep logs"
            description="Empty: for ever"
            suffix=" days"
            min={1}
            {...form.pick('keepLogDays')}
          />
          <NumberInput
            label="Keep artifacts"
            description="Empty: for ever"
            suffix=" days"
            min={1}
            {...form.pick('keepArtifactDays')}
          />
        </div>
        <NumberInput
          label="Keep at most"
          description="Logs and artifacts of one person together; the oldest go first. Empty: no limit"
          suffix=" MiB"
          min={1}
          {...scaled('keepBytes', MIB)}
        />
        {form.error ? <ErrorState error={form.error} /> : null}
        <Group justify="flex-end" gap={8}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={form.pending}>
            Save plan
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
