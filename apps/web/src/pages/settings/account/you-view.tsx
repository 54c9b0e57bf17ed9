import { contract, type Me } from '@hangar/contract';
import { Button, PasswordInput, Stack, Switch, TextInput } from '@mantine/core';
import type { Loadable } from '../../../api/loadable.ts';
import { Confirm, useAsked } from '../../../components/actions/confirm.tsx';
import { Facts } from '../../../components/figures/facts.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { FormFrame } from '../../../components/form/form-frame.tsx';
import { inputSchema, useSchemaForm } from '../../../components/form/use-schema-form.ts';
import { setHabits, useHabits } from '../../../components/habits.ts';
import { PageHeader, Section } from '../../../components/page.tsx';
import { Callout } from '../../../components/state/callout.tsx';
import { LinesSkeleton, Loaded } from '../../../components/state/states.tsx';
import classes from '../settings.module.css';

const passwordSchema = inputSchema(contract.access.setPassword);
const profileSchema = inputSchema(contract.access.updateMe);
const NO_PASSWORD = { current: '', password: '' };

export interface YouViewProps {
  me: Loadable<Me>;
  onUpdate: (input: { name?: string | undefined; email?: string | undefined }) => Promise<unknown>;
  onPassword: (input: { current?: string | undefined; password: string }) => Promise<unknown>;
  onSignOutEverywhere: () => Promise<unknown>;
}

export function YouView({ me, onUpdate, onPassword, onSignOutEverywhere }: YouViewProps) {
  return (
    <>
      <PageHeader title="You" />
      <Loaded of={me} skeleton={<LinesSkeleton lines={6} />}>
        {(data) => (
          <>
            <WayIn me={data} />
            <NameForm me={data} onUpdate={onUpdate} />
            <PasswordForm hasPassword={data.user.hasPassword} onPassword={onPassword} />
            <HabitsForm />
            <Sessions me={data} onSignOutEverywhere={onSignOutEverywhere} />
          </>
        )}
      </Loaded>
    </>
  );
}

/** Says what is still needed to sign in again without a link. */
function WayIn({ me }: { me: Me }) {
  const missing = [me.user.email === '' ? 'email' : null, me.user.hasPassword ? null : 'password'].filter(Boolean);
  if (missing.length === 0) return null;
  return (
    <div style={{ marginBottom: 24 }}>
      <Callout tone="needs">
        You have no {missing.join(' and no ')} yet. Set {missing.length > 1 ? 'both' : 'it'} below, so that you can sign
        in again without a link.
      </Callout>
    </div>
  );
}

function NameForm({ me, onUpdate }: { me: Me; onUpdate: YouViewProps['onUpdate'] }) {
  const form = useSchemaForm({
    schema: profileSchema,
    initial: { name: me.user.name, email: me.user.email },
    submit: onUpdate,
  });
  return (
    <Section title="Name and email">
      <FormFrame form={form} action="Save" button={{ variant: 'default' }} className={classes.form}>
        <TextInput label="Name" autoComplete="name" {...form.text('name')} />
        <TextInput label="Email" type="email" autoComplete="email" {...form.text('email')} />
      </FormFrame>
    </Section>
  );
}

function PasswordForm({ hasPassword, onPassword }: { hasPassword: boolean; onPassword: YouViewProps['onPassword'] }) {
  const form = useSchemaForm({
    schema: passwordSchema,
    initial: NO_PASSWORD,
    submit: async (input) => {
      await onPassword(input);
      form.reset();
    },
  });
  return (
    <Section title="Password">
      <FormFrame
        form={form}
        action="Set password"
        button={{ variant: hasPassword ? 'default' : 'filled' }}
        className={classes.form}
      >
        {hasPassword ? (
          <PasswordInput label="Current password" autoComplete="current-password" {...form.text('current')} />
        ) : null}
        <PasswordInput
          label="New password"
          description="At least 10 characters"
          autoComplete="new-password"
          {...form.text('password')}
        />
      </FormFrame>
    </Section>
  );
}

/** Of this browser, and no business of the server. */
function HabitsForm() {
  const habits = useHabits();
  return (
    <Section title="Keys and notices">
      <Stack gap={12} id="habits">
        <Switch
          label="Single keys do something"
          description="j and k for rows, n for a new job, / to search, and so on. Ctrl K works in any case."
          checked={habits.singleKeys}
          onChange={(event) => setHabits({ ...habits, singleKeys: event.currentTarget.checked })}
        />
        <Switch
          label="Notices stay until they are dismissed"
          description="Otherwise they go by themselves, but not while you point at them or are in them. F8 leads to them."
          checked={habits.noticesStay}
          onChange={(event) => setHabits({ ...habits, noticesStay: event.currentTarget.checked })}
        />
      </Stack>
    </Section>
  );
}

function Sessions({ me, onSignOutEverywhere }: { me: Me; onSignOutEverywhere: () => Promise<unknown> }) {
  const signOut = useAsked((_everywhere: true) => onSignOutEverywhere());
  return (
    <Section
      title="This session"
      actions={
        <Button variant="default" onClick={() => signOut.ask(true)}>
          Sign out everywhere
        </Button>
      }
    >
      <Facts
        items={[
          ['Signed in by', me.identity.name],
          ['Ends', me.identity.expiresAt === null ? 'never' : <Time key="t" at={me.identity.expiresAt} />],
          ['Role', me.user.role === 'admin' ? 'Admin' : 'Member'],
          ['Here since', <Time key="c" at={me.user.createdAt} />],
        ]}
      />
      <Confirm
        {...signOut.dialog}
        title="Sign out everywhere?"
        gone="Every browser and every device that is signed in as you has to sign in again, this one too. API keys stay."
        action="Sign out everywhere"
      />
    </Section>
  );
}
