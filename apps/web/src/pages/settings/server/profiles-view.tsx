import { type Driver, type NewProfile, PERSONAL_DRIVERS, type Profile, type ProfileCheck } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { formatCount } from '@hangar/contract/words/number';
import { limitWords } from '@hangar/contract/words/resources';
import { ActionIcon, Button, Menu, Modal } from '@mantine/core';
import { IconDots, IconPlus, IconServerBolt } from '@tabler/icons-react';
import { useState } from 'react';
import type { Loadable } from '../../../api/loadable.ts';
import { AsCommand, asCommand } from '../../../components/actions/as-command.tsx';
import { ConfirmByName, useAsked } from '../../../components/actions/confirm.tsx';
import { useAction } from '../../../components/actions/use-action.ts';
import { List } from '../../../components/list/list.tsx';
import { PageHeader, Section } from '../../../components/page.tsx';
import { StateIcon } from '../../../components/state/state-badge.tsx';
import { ErrorState, LinesSkeleton, Loaded } from '../../../components/state/states.tsx';
import classes from '../settings.module.css';
import { type ProfileChange, ProfileForm } from './profile-form.tsx';
import { type ProfileTest, ProfileTestDialog } from './profile-test.tsx';

export interface ProfilesViewProps {
  profiles: Loadable<{ items: Profile[] }>;
  drivers: Loadable<{ items: Driver[] }>;
  isAdmin: boolean;
  onCreate: (profile: NewProfile) => Promise<unknown>;
  onUpdate: (change: ProfileChange) => Promise<unknown>;
  onRemove: (name: string) => Promise<unknown>;
  onDefault: (name: string) => Promise<unknown>;
  onTest: (name: string) => Promise<{ ok: boolean; checks: ProfileCheck[] }>;
}

export function ProfilesView(props: ProfilesViewProps) {
  const { profiles, drivers, isAdmin, onCreate, onUpdate, onRemove, onDefault, onTest } = props;
  const [editing, setEditing] = useState<Profile | 'new' | null>(null);
  const [tested, setTested] = useState<ProfileTest | null>(null);
  const remove = useAsked((profile: Profile) => onRemove(profile.name));
  const makeDefault = useAction(onDefault);
  const test = useAction(async (name: string) => {
    setTested({ name, result: null });
    setTested({ name, result: await onTest(name) });
  });
  const driverOf = (name: string) => drivers.data?.items.find((driver) => driver.name === name);
  const offered = drivers.data?.items.filter(({ name }) => isAdmin || PERSONAL_DRIVERS.includes(name)) ?? [];
  const button = (
    <Button leftSection={<IconPlus size={15} />} onClick={() => setEditing('new')} disabled={offered.length === 0}>
      New profile
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Profiles"
        sub="Named ways to reach compute. Jobs run on the default profile unless they name another."
        actions={
          <>
            {button}
            <AsCommand {...asCommand(OPERATIONS.profiles.list)} />
          </>
        }
      />
      {makeDefault.error ? <ErrorState error={makeDefault.error} /> : null}
      <Section title="Saved">
        <List
          label="Profiles"
          of={profiles}
          rowKey={(profile) => profile.name}
          columns={[
            {
              id: 'name',
              header: 'Name',
              cell: ({ name, isDefault, personal }) => (
                <>
                  <strong>{name}</strong> {isDefault ? <span className={classes.tag}>default</span> : null}{' '}
                  {personal ? <span className={classes.tag}>yours</span> : null}
                </>
              ),
            },
            { id: 'driver', header: 'Driver', cell: ({ driver }) => driverOf(driver)?.title ?? driver },
            { id: 'limits', header: 'Limits', from: 'md', cell: ({ limits }) => limitWords(limits) ?? 'no limits' },
            {
              id: 'jobs',
              header: 'Jobs',
              cell: ({ jobsRunning, limits }) =>
                limits.jobsAtOnce === undefined
                  ? `${formatCount(jobsRunning)} running`
                  : `${formatCount(jobsRunning)} of ${formatCount(limits.jobsAtOnce)} running`,
            },
          ]}
          actions={(profile) => (
            <>
              <Button variant="subtle" onClick={() => test.run(profile.name)}>
                Test
              </Button>
              {isAdmin || profile.personal ? (
                <Menu>
                  <Menu.Target>
                    <ActionIcon aria-label={`Change ${profile.name}`}>
                      <IconDots size={16} />
                    </ActionIcon>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Item onClick={() => setEditing(profile)}>Change</Menu.Item>
                    <Menu.Item disabled={profile.isDefault} onClick={() => makeDefault.run(profile.name)}>
                      Make default
                    </Menu.Item>
                    <Menu.Divider />
                    <Menu.Item color="red" onClick={() => remove.ask(profile)}>
                      Remove
                    </Menu.Item>
                  </Menu.Dropdown>
                </Menu>
              ) : null}
            </>
          )}
          empty={{
            icon: <IconServerBolt size={26} stroke={1.4} />,
            sentence:
              'A profile says where jobs run: on this machine, in a container of a Docker Engine, or on another machine.',
            action: button,
            command: 'hangar profiles create builder --driver docker',
          }}
        />
      </Section>
      <Section title="Drivers" description="What this server can drive.">
        <Loaded of={drivers} skeleton={<LinesSkeleton lines={3} />}>
          {({ items }) => (
            <ul className={classes.drivers}>
              {items.map((driver) => (
                <li key={driver.name}>
                  <StateIcon tone={driver.available ? 'good' : 'needs'} />
                  <div>
                    <strong>{driver.title}</strong>{' '}
                    <span className={classes.dim}>{driver.available ? 'ready' : 'not ready'}</span>
                    <div className={classes.dim}>{driver.detail}</div>
                  </div>
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </Section>
      <Modal
        opened={editing !== null}
        onClose={() => setEditing(null)}
        title={editing === 'new' ? 'New profile' : `Profile ${editing?.name ?? ''}`}
        size="lg"
      >
        {editing === null ? null : (
          <ProfileForm
            isAdmin={isAdmin}
            profile={editing === 'new' ? null : editing}
            drivers={drivers.data?.items ?? []}
            onCreate={async (profile) => {
              await onCreate(profile);
              setEditing(null);
            }}
            onUpdate={async (change) => {
              await onUpdate(change);
              setEditing(null);
            }}
            onClose={() => setEditing(null)}
          />
        )}
      </Modal>
      <ProfileTestDialog
        test={tested}
        error={test.error}
        onAgain={() => tested && test.run(tested.name)}
        onClose={() => setTested(null)}
      />
      {remove.about === null ? null : (
        <ConfirmByName
          {...remove.dialog}
          title={`Remove profile ${remove.about.name}?`}
          gone="Its settings and limits are gone. Jobs that ran on it stay, with their logs and diffs."
          name={remove.about.name}
          action="Remove profile"
        />
      )}
    </>
  );
}
