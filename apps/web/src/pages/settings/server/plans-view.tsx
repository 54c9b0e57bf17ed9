import { Plan } from '@hangar/contract';
import { formatCount } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatDuration } from '@hangar/contract/words/time';
import { Button, Modal } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { z } from 'zod';
import type { Loadable } from '../../../api/loadable.ts';
import { FormFrame } from '../../../components/form/form-frame.tsx';
import { SchemaFields, useFieldsForm } from '../../../components/form/schema-fields.tsx';
import { fieldsOf } from '../../../components/form/schema-model.ts';
import { List } from '../../../components/list/list.tsx';
import { PageHeader } from '../../../components/page.tsx';
import classes from '../settings.module.css';

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
      <List
        label="Plans"
        of={plans}
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
            id: 'sandboxes',
            header: 'Sandboxes',
            from: 'lg',
            cell: (plan) => `${formatCount(plan.sandboxesAtOnce)} open`,
          },
          {
            id: 'minutes',
            header: 'Minutes a month',
            phone: 'label',
            cell: (plan) => (plan.minutesPerMonth === null ? 'no limit' : `${formatCount(plan.minutesPerMonth)} min`),
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
        empty={{ sentence: 'A plan limits how many jobs a person runs, and for how long.' }}
      />
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

const NEW = {
  jobsAtOnce: 2,
  jobsWaiting: 50,
  sandboxesAtOnce: 10,
  maxTimeoutSeconds: 14_400,
  maxArtifactBytes: 512 * MIB,
  maxLogBytes: 100 * MIB,
};
const MIBS = { unit: MIB, input: { suffix: ' MiB' } };
const DAYS = { help: 'Empty: for ever', half: true, input: { suffix: ' days' } };

const fieldsWith = (isNew: boolean) =>
  fieldsOf(z.toJSONSchema(Plan, { io: 'input' }), {
    words: {
      title: { half: true, input: { 'data-autofocus': true } },
      id: { label: 'Short name', help: '', half: true, input: { placeholder: 'team', disabled: !isNew } },
      jobsAtOnce: { help: '', half: true },
      jobsWaiting: { help: '', half: true },
      sandboxesAtOnce: { help: '' },
      minutesPerMonth: {
        label: 'Minutes a month',
        help: 'Empty: no limit',
        half: true,
        input: { thousandSeparator: ',' },
      },
      maxTimeoutSeconds: { label: 'Longest timeout', half: true, unit: 60, input: { suffix: ' min' } },
      maxArtifactBytes: { label: 'Artifacts of a job', help: '', half: true, ...MIBS },
      maxLogBytes: { label: 'Log of a job', help: '', half: true, ...MIBS },
      keepLogDays: { label: 'Keep logs', ...DAYS },
      keepArtifactDays: { label: 'Keep artifacts', ...DAYS },
      keepBytes: {
        label: 'Keep at most',
        help: 'Logs and artifacts of one person together; the oldest go first. Empty: no limit',
        ...MIBS,
      },
    },
  });
const FIELDS = { new: fieldsWith(true), known: fieldsWith(false) };

export function PlanForm({ plan, onPut, onClose }: PlanFormProps) {
  const fields = plan === null ? FIELDS.new : FIELDS.known;
  const form = useFieldsForm({ schema: Plan, fields, of: plan ?? NEW, submit: onPut });
  return (
    <FormFrame form={form} action="Save plan" onClose={onClose}>
      <SchemaFields form={form} fields={fields} />
    </FormFrame>
  );
}
