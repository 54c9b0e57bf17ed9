import type { Invite, Person, Plan, Role } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { ActionIcon, Button, Menu } from '@mantine/core';
import { IconDots, IconUserPlus } from '@tabler/icons-react';
import { useState } from 'react';
import type { Loadable } from '../../../api/loadable.ts';
import { AsCommand, asCommand } from '../../../components/actions/as-command.tsx';
import { Confirm, useAsked } from '../../../components/actions/confirm.tsx';
import { useAction } from '../../../components/actions/use-action.ts';
import { Time } from '../../../components/figures/time.tsx';
import { DataTable } from '../../../components/list/data-table.tsx';
import { PageHeader, Section } from '../../../components/page.tsx';
import { StateBadge } from '../../../components/state/state-badge.tsx';
import { ErrorState, Loaded, TableSkeleton } from '../../../components/state/states.tsx';
import { Once } from '../once.tsx';
import classes from '../settings.module.css';

type Change = { id: string; role?: Role; planId?: string; disabled?: boolean };

export interface PeopleViewProps {
  people: Loadable<{ items: Person[] }>;
  invites: Loadable<{ items: Invite[] }>;
  plans: readonly Plan[];
  onUpdate: (change: Change) => Promise<unknown>;
  onLink: (id: string) => Promise<{ url: string; expiresAt: string }>;
  onInvite: (role: Role) => Promise<{ url: string; expiresAt: string }>;
  onTakeBack: (id: string) => Promise<unknown>;
}

interface Shown {
  title: string;
  url: string;
  expiresAt: string;
}

const ROLES: Record<Role, string> = { admin: 'Admin', member: 'Member' };

export function PeopleView({ people, invites, plans, onUpdate, onLink, onInvite, onTakeBack }: PeopleViewProps) {
  const [shown, setShown] = useState<Shown | null>(null);
  const update = useAction(onUpdate);
  const disable = useAsked((person: Person) => onUpdate({ id: person.id, disabled: true }));
  const link = useAction(async (person: Person) =>
    setShown({ title: `Sign-in link for ${person.name}`, ...(await onLink(person.id)) }),
  );
  const invite = useAction(async (role: Role) =>
    setShown({ title: `Invitation as ${role}`, ...(await onInvite(role)) }),
  );
  const takeBack = useAction(onTakeBack);
  const error = link.error ?? invite.error ?? takeBack.error ?? update.error;
  const planTitle = (id: string) => plans.find((plan) => plan.id === id)?.title ?? id;

  return (
    <>
      <PageHeader
        title="People"
        sub="Who may use this server."
        actions={
          <>
            <Menu>
              <Menu.Target>
                <Button leftSection={<IconUserPlus size={15} />} loading={invite.pending}>
                  Invite
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => invite.run('member')}>As member</Menu.Item>
                <Menu.Item onClick={() => invite.run('admin')}>As admin</Menu.Item>
              </Menu.Dropdown>
            </Menu>
            <AsCommand curl={asCommand(OPERATIONS.access.createInvite, { role: 'member' }).curl} />
          </>
        }
      />
      {error ? (
        <div style={{ marginBottom: 16 }}>
          <ErrorState error={error} />
        </div>
      ) : null}
      <Section title="Accounts">
        <Loaded of={people} skeleton={<TableSkeleton rows={4} columns={5} />}>
          {({ items }) => (
            <DataTable
              label="People"
              rows={items}
              rowKey={(person) => person.id}
              columns={[
                {
                  id: 'name',
                  header: 'Name',
                  cell: (person) => (
                    <>
                      <strong>{person.name}</strong> <span className={classes.dim}>{person.email}</span>
                    </>
                  ),
                },
                { id: 'role', header: 'Role', cell: (person) => ROLES[person.role] },
                { id: 'plan', header: 'Plan', cell: (person) => planTitle(person.planId) },
                {
                  id: 'seen',
                  header: 'Last seen',
                  phone: 'label',
                  from: 'md',
                  cell: (person) =>
                    person.disabled ? (
                      <StateBadge tone="ended" word="Disabled" />
                    ) : person.lastSeenAt === null ? (
                      'never'
                    ) : (
                      <Time at={person.lastSeenAt} />
                    ),
                },
              ]}
              actions={(person) => (
                <PersonActions
                  person={person}
                  plans={plans}
                  onUpdate={update.run}
                  onLink={() => link.run(person)}
                  onDisable={() => disable.ask(person)}
                />
              )}
            />
          )}
        </Loaded>
      </Section>
      <Section title="Open invitations" description="A link works once. It is shown only when it is made.">
        <Loaded of={invites} skeleton={<TableSkeleton rows={1} columns={4} />}>
          {({ items }) =>
            items.length === 0 ? (
              <p className={classes.dim}>None.</p>
            ) : (
              <DataTable
                label="Open invitations"
                rows={items}
                rowKey={(open) => open.id}
                columns={[
                  { id: 'role', header: 'Role', cell: (open) => ROLES[open.role] },
                  { id: 'by', header: 'Made by', phone: 'label', cell: (open) => open.createdBy },
                  { id: 'at', header: 'Made', phone: 'label', cell: (open) => <Time at={open.createdAt} /> },
                  { id: 'ends', header: 'Ends', phone: 'label', cell: (open) => <Time at={open.expiresAt} /> },
                ]}
                actions={(open) => (
                  <Button variant="subtle" color="red" onClick={() => takeBack.run(open.id)}>
                    Take back
                  </Button>
                )}
              />
            )
          }
        </Loaded>
      </Section>
      <Once opened={shown !== null} onClose={() => setShown(null)} title={shown?.title ?? ''} value={shown?.url ?? ''}>
        {shown === null ? null : (
          <div>
            It works once, and ends <Time at={shown.expiresAt} />. Send it on a channel you trust.
          </div>
        )}
      </Once>
      <Confirm
        {...disable.dialog}
        title={`Disable ${disable.about?.name ?? ''}?`}
        gone="They are signed out everywhere and their API keys stop working. Their jobs and logs stay, and you can enable them again."
        action="Disable"
      />
    </>
  );
}

interface PersonActionsProps {
  person: Person;
  plans: readonly Plan[];
  onUpdate: (change: Change) => void;
  onLink: () => void;
  onDisable: () => void;
}

function PersonActions({ person, plans, onUpdate, onLink, onDisable }: PersonActionsProps) {
  const other: Role = person.role === 'admin' ? 'member' : 'admin';
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon aria-label={`Change ${person.name}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onUpdate({ id: person.id, role: other })}>Make {other}</Menu.Item>
        <Menu.Item onClick={onLink}>Sign-in link</Menu.Item>
        <Menu.Divider />
        <Menu.Label>Plan</Menu.Label>
        {plans.map((plan) => (
          <Menu.Item
            key={plan.id}
            disabled={plan.id === person.planId}
            onClick={() => onUpdate({ id: person.id, planId: plan.id })}
          >
            {plan.title}
          </Menu.Item>
        ))}
        <Menu.Divider />
        {person.disabled ? (
          <Menu.Item onClick={() => onUpdate({ id: person.id, disabled: false })}>Enable</Menu.Item>
        ) : (
          <Menu.Item color="red" onClick={onDisable}>
            Disable
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
