import {
  type ApiKey,
  type Credential,
  type Device,
  DockerSettings,
  type Driver,
  E2bSettings,
  HangarError,
  type Invite,
  LocalSettings,
  type Person,
  type Profile,
  SshSettings,
} from '@hangar/contract';
import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { z } from 'zod';
import { ada, me, plan } from '../../gallery/people.ts';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago, failed, live, loading, refetching } from '../../gallery/samples.ts';
import { CredentialForm, CredentialsView } from './account/credentials-view.tsx';
import { DevicesView } from './account/devices-view.tsx';
import { KeyForm, KeysView } from './account/keys-view.tsx';
import { UseView } from './account/use-view.tsx';
import { YouView } from './account/you-view.tsx';
import { Once } from './once.tsx';
import { PeopleView } from './server/people-view.tsx';
import { PlanForm, PlansView } from './server/plans-view.tsx';
import { ProfileForm } from './server/profile-form.tsx';
import { ProfileTestDialog } from './server/profile-test.tsx';
import { ProfilesView } from './server/profiles-view.tsx';
import { SettingsFrame } from './settings-frame.tsx';

const never = () => new Promise<never>(() => {});
const nothing = () => {};

const devices: Device[] = [
  {
    id: 'd_1',
    client: 'hangar on laptop',
    createdAt: ago(86_400 * 12),
    lastUsedAt: ago(140),
    expiresAt: ago(-86_400 * 18),
  },
  {
    id: 'd_2',
    client: 'hangar on build-host-07.eu-west.example.com',
    createdAt: ago(86_400 * 3),
    lastUsedAt: null,
    expiresAt: ago(-86_400 * 27),
  },
];
const keys: ApiKey[] = [
  {
    id: 'k_0000001',
    name: 'ci of the notes repository',
    prefix: 'hk_7f3a',
    createdAt: ago(86_400 * 20),
    expiresAt: ago(-86_400 * 70),
    lastUsedAt: ago(3700),
  },
  {
    id: 'k_0000002',
    name: 'nightly',
    prefix: 'hk_91bc',
    createdAt: ago(86_400 * 2),
    expiresAt: null,
    lastUsedAt: null,
  },
];
const credentials: Credential[] = [
  {
    name: 'github',
    kind: 'https-token',
    host: 'github.com',
    username: null,
    createdAt: ago(86_400 * 9),
    lastUsedAt: ago(5000),
  },
  { name: 'deploy-key', kind: 'ssh-key', host: null, username: 'git', createdAt: ago(86_400), lastUsedAt: null },
];
const profiles: Profile[] = [
  {
    name: 'local',
    driver: 'local',
    personal: false,
    settings: { isolation: 'auto' },
    secrets: {},
    limits: { jobsAtOnce: 2 },
    isDefault: true,
    createdAt: ago(86_400 * 40),
    jobsRunning: 1,
  },
  {
    name: 'builder',
    driver: 'docker',
    personal: false,
    secrets: {},
    settings: { image: 'node:24-bookworm' },
    limits: { cpus: 4, memoryBytes: 8 * 1024 ** 3, pids: 2048 },
    isDefault: false,
    createdAt: ago(86_400 * 8),
    jobsRunning: 3,
  },
  {
    name: 'desk',
    driver: 'ssh',
    personal: true,
    settings: { host: 'desk.example.org', port: 22, user: 'ada', jump: [{ host: 'jump.example.org', port: 22 }] },
    secrets: { key: true },
    limits: {},
    isDefault: false,
    createdAt: ago(86_400),
    jobsRunning: 0,
  },
];
const drivers: Driver[] = [
  {
    name: 'local',
    title: 'This machine',
    available: true,
    detail: 'bubblewrap 0.8.0: a job sees only its work tree, a private home and the system read-only.',
    settingsSchema: z.toJSONSchema(LocalSettings, { io: 'input' }),
    capabilities: { image: false, cpus: false, memory: false, pids: false, isolation: 'bubblewrap', pause: false },
  },
  {
    name: 'docker',
    title: 'Docker',
    available: false,
    detail: 'No Engine answers at unix:///var/run/docker.sock. Start Docker, or name another host in the profile.',
    settingsSchema: z.toJSONSchema(DockerSettings, { io: 'input' }),
    capabilities: { image: true, cpus: true, memory: true, pids: true, isolation: 'container', pause: true },
  },
  {
    name: 'ssh',
    title: 'A machine over SSH',
    available: true,
    detail: 'OpenSSH 9.2.',
    settingsSchema: z.toJSONSchema(SshSettings, { io: 'input' }),
    capabilities: { image: false, cpus: false, memory: false, pids: false, isolation: 'none', pause: false },
  },
  {
    name: 'e2b',
    title: 'E2B',
    available: true,
    detail: 'Each profile has a key of its own.',
    settingsSchema: z.toJSONSchema(E2bSettings, { io: 'input' }),
    capabilities: { image: true, cpus: false, memory: false, pids: false, isolation: 'virtual machine', pause: false },
  },
];
const people: Person[] = [
  ada,
  {
    ...ada,
    id: 'u_grace001',
    name: 'Grace Hopper',
    email: 'grace@example.com',
    role: 'member',
    lastSeenAt: ago(86_400),
  },
  {
    ...ada,
    id: 'u_alan0001',
    name: 'Alan Turing',
    email: 'alan@example.com',
    role: 'member',
    disabled: true,
    lastSeenAt: ago(86_400 * 30),
  },
];
const invites: Invite[] = [
  { id: 'inv_0001', role: 'member', createdBy: 'Ada Lovelace', createdAt: ago(3600), expiresAt: ago(-86_400 * 6) },
];
const small = {
  ...plan,
  id: 'small',
  title: 'Small',
  jobsAtOnce: 1,
  jobsWaiting: 10,
  sandboxesAtOnce: 10,
  minutesPerMonth: 300,
  maxTimeoutSeconds: 1800,
};
const free = { ...plan, id: 'unlimited', title: 'Unlimited', minutesPerMonth: null };

const you = { onUpdate: never, onPassword: never, onSignOutEverywhere: never };
const profileActions = {
  onCreate: never,
  onUpdate: never,
  onRemove: never,
  onDefault: never,
  onTest: never,
  isAdmin: true,
};
const peopleActions = {
  onUpdate: never,
  onLink: never,
  onInvite: never,
  onTakeBack: never,
  plans: [small, plan, free],
};

const at = (section: string, id: string, title: string, view: ReactNode): GalleryEntry => ({
  id: `settings/${section === '' ? 'you' : section}/${id}`,
  title,
  frame: 'bare',
  render: () => (
    <SettingsFrame current={section} isAdmin>
      {view}
    </SettingsFrame>
  ),
});
const dialog = (id: string, title: string, form: ReactNode, size = 'md'): GalleryEntry => ({
  id: `settings/${id}`,
  title,
  render: () => (
    <Modal opened onClose={nothing} title={title} size={size}>
      {form}
    </Modal>
  ),
});

export const entries: GalleryEntry[] = [
  at('', 'live', 'You', <YouView me={live(me)} {...you} />),
  at(
    '',
    'no-password',
    'You, without a password',
    <YouView me={live({ ...me, user: { ...ada, email: '', hasPassword: false } })} {...you} />,
  ),
  at('', 'loading', 'You, loading', <YouView me={loading} {...you} />),
  at('', 'error', 'You, error', <YouView me={failed} {...you} />),
  at('use', 'live', 'Use', <UseView me={live(me)} />),
  at(
    'use',
    'full',
    'Use, at the limit',
    <UseView
      me={live({
        ...me,
        use: { ...me.use, jobsRunning: 4, jobsWaiting: 44, sandboxesOpen: 10, minutesThisMonth: 3000 },
      })}
    />,
  ),
  at('use', 'loading', 'Use, loading', <UseView me={loading} />),
  at('devices', 'live', 'Devices', <DevicesView devices={live({ items: devices })} onRemove={never} />),
  at('devices', 'empty', 'Devices, none', <DevicesView devices={live({ items: [] })} onRemove={never} />),
  at('devices', 'error', 'Devices, error', <DevicesView devices={failed} onRemove={never} />),
  at('keys', 'live', 'API keys', <KeysView keys={live({ items: keys })} onCreate={never} onRemove={never} />),
  at(
    'keys',
    'refetching',
    'API keys, refetching',
    <KeysView keys={refetching({ items: keys })} onCreate={never} onRemove={never} />,
  ),
  at('keys', 'empty', 'API keys, none', <KeysView keys={live({ items: [] })} onCreate={never} onRemove={never} />),
  at('keys', 'loading', 'API keys, loading', <KeysView keys={loading} onCreate={never} onRemove={never} />),
  dialog('keys/new', 'New API key', <KeyForm onCreate={never} onClose={nothing} />),
  {
    id: 'settings/keys/once',
    title: 'API key, shown once',
    render: () => (
      <Once opened onClose={nothing} title="Key nightly" value="hk_91bc_EXAMPLE-ONLY-not-a-real-key-0000000000000000">
        <div>In a script set it as HANGAR_TOKEN.</div>
      </Once>
    ),
  },
  at(
    'credentials',
    'live',
    'Credentials',
    <CredentialsView credentials={live({ items: credentials })} onCreate={never} onRemove={never} />,
  ),
  at(
    'credentials',
    'empty',
    'Credentials, none',
    <CredentialsView credentials={live({ items: [] })} onCreate={never} onRemove={never} />,
  ),
  at(
    'credentials',
    'loading',
    'Credentials, loading',
    <CredentialsView credentials={loading} onCreate={never} onRemove={never} />,
  ),
  at(
    'credentials',
    'error',
    'Credentials, error',
    <CredentialsView credentials={failed} onCreate={never} onRemove={never} />,
  ),
  dialog('credentials/new', 'Add a credential', <CredentialForm onCreate={never} onClose={nothing} />),
  at(
    'profiles',
    'live',
    'Profiles',
    <ProfilesView profiles={live({ items: profiles })} drivers={live({ items: drivers })} {...profileActions} />,
  ),
  at(
    'profiles',
    'member',
    'Profiles, for a member',
    <ProfilesView
      profiles={live({ items: profiles })}
      drivers={live({ items: drivers })}
      {...profileActions}
      isAdmin={false}
    />,
  ),
  at(
    'profiles',
    'empty',
    'Profiles, none',
    <ProfilesView profiles={live({ items: [] })} drivers={live({ items: drivers })} {...profileActions} />,
  ),
  at(
    'profiles',
    'loading',
    'Profiles, loading',
    <ProfilesView profiles={loading} drivers={loading} {...profileActions} />,
  ),
  at(
    'profiles',
    'error',
    'Profiles, error',
    <ProfilesView profiles={failed} drivers={live({ items: drivers })} {...profileActions} />,
  ),
  dialog(
    'profiles/new',
    'New profile',
    <ProfileForm
      isAdmin
      profile={null}
      drivers={[...drivers].reverse()}
      onCreate={never}
      onUpdate={never}
      onClose={nothing}
    />,
    'lg',
  ),
  dialog(
    'profiles/change',
    'Profile builder',
    <ProfileForm
      isAdmin
      profile={profiles[1] ?? null}
      drivers={drivers}
      onCreate={never}
      onUpdate={never}
      onClose={nothing}
    />,
    'lg',
  ),
  dialog(
    'profiles/personal',
    'New profile, for a member',
    <ProfileForm
      isAdmin={false}
      profile={null}
      drivers={drivers}
      onCreate={never}
      onUpdate={never}
      onClose={nothing}
    />,
    'lg',
  ),
  dialog(
    'profiles/change-ssh',
    'Profile desk',
    <ProfileForm
      isAdmin={false}
      profile={profiles[2] ?? null}
      drivers={drivers}
      onCreate={never}
      onUpdate={never}
      onClose={nothing}
    />,
    'lg',
  ),
  {
    id: 'settings/profiles/test',
    title: 'Test of a profile',
    render: () => (
      <ProfileTestDialog
        test={{
          name: 'builder',
          result: {
            ok: false,
            checks: [
              {
                name: 'Engine answers',
                ok: true,
                detail: 'Docker 27.3.1 at unix:///var/run/docker.sock',
                wayOut: null,
              },
              {
                name: 'Image is there',
                ok: false,
                detail: 'pull of registry.example.com/node:24 refused: unauthorized',
                wayOut: 'Sign the Engine in to the registry, or choose another image.',
              },
            ],
          },
        }}
        error={null}
        onAgain={nothing}
        onClose={nothing}
      />
    ),
  },
  {
    id: 'settings/profiles/test-error',
    title: 'Test that could not run',
    render: () => (
      <ProfileTestDialog
        test={{ name: 'builder', result: null }}
        error={new HangarError('driver_unavailable')}
        onAgain={nothing}
        onClose={nothing}
      />
    ),
  },
  at(
    'people',
    'live',
    'People',
    <PeopleView people={live({ items: people })} invites={live({ items: invites })} {...peopleActions} />,
  ),
  at('people', 'loading', 'People, loading', <PeopleView people={loading} invites={loading} {...peopleActions} />),
  at(
    'people',
    'error',
    'People, error',
    <PeopleView people={failed} invites={live({ items: [] })} {...peopleActions} />,
  ),
  at('plans', 'live', 'Plans', <PlansView plans={live({ items: [small, plan, free] })} isAdmin onPut={never} />),
  at('plans', 'loading', 'Plans, loading', <PlansView plans={loading} isAdmin onPut={never} />),
  dialog('plans/change', 'Plan Team', <PlanForm plan={plan} onPut={never} onClose={nothing} />),
];
