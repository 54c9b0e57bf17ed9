import { type DeviceRequest, HangarError, type ServerInfo } from '@hangar/contract';
import { ada } from '../../gallery/people.ts';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago, failed, live, loading } from '../../gallery/samples.ts';
import { DeviceView } from './device-page.tsx';
import { InviteView } from './invite-page.tsx';
import { LinkView } from './link-page.tsx';
import { SignInView } from './sign-in-page.tsx';

const never = () => new Promise<never>(() => {});
const nothing = () => {};
const info: ServerInfo = {
  name: 'hangar',
  version: '0.1.0',
  url: 'https://hangar.example.com',
  needsFirstSignIn: false,
};
const invite = {
  id: 'inv_0001',
  role: 'member' as const,
  createdBy: 'Ada Lovelace',
  createdAt: ago(3600),
  expiresAt: ago(-86_400 * 6),
};
const asked: DeviceRequest = {
  userCode: 'BCDF-GHJK',
  client: 'hangar on laptop',
  place: '203.0.113.24',
  userAgent: 'hangar/0.1.0 (linux; x64) node/24.19.0',
  requestedAt: ago(14),
  expiresAt: ago(-586),
  status: 'waiting',
};
const device = {
  code: 'BCDF-GHJK',
  person: ada,
  deciding: null,
  decideError: null,
  onCode: nothing,
  onOther: nothing,
  onDecide: nothing,
} as const;

const bare = (id: string, title: string, render: GalleryEntry['render']): GalleryEntry => ({
  id: `auth/${id}`,
  title,
  frame: 'whole',
  render,
});

export const entries: GalleryEntry[] = [
  bare('sign-in/live', 'Sign in', () => <SignInView info={live(info)} onSignIn={never} />),
  bare('sign-in/first', 'Nobody has signed in yet', () => (
    <SignInView info={live({ ...info, url: 'http://127.0.0.1:7070', needsFirstSignIn: true })} onSignIn={never} />
  )),
  bare('sign-in/error', 'Server out of reach', () => (
    <SignInView info={{ ...failed, error: new HangarError('server_unreachable') }} onSignIn={never} />
  )),
  bare('link/waiting', 'Link: signing in', () => <LinkView hasToken error={null} />),
  bare('link/used', 'Link: used', () => <LinkView hasToken error={new HangarError('sign_in_link_used')} />),
  bare('link/none', 'Link: no token', () => <LinkView hasToken={false} error={null} />),
  bare('invite/live', 'Invitation', () => <InviteView invite={live(invite)} onAccept={never} />),
  bare('invite/loading', 'Invitation: loading', () => <InviteView invite={loading} onAccept={never} />),
  bare('invite/error', 'Invitation: used', () => (
    <InviteView invite={{ ...failed, error: new HangarError('invite_invalid') }} onAccept={never} />
  )),
  bare('device/enter', 'Device: enter the code', () => <DeviceView {...device} code={null} request={loading} />),
  bare('device/loading', 'Device: loading', () => <DeviceView {...device} request={loading} />),
  bare('device/waiting', 'Device: decide', () => <DeviceView {...device} request={live(asked)} />),
  bare('device/approved', 'Device: approved', () => (
    <DeviceView {...device} request={live({ ...asked, status: 'approved' })} />
  )),
  bare('device/denied', 'Device: denied', () => (
    <DeviceView {...device} request={live({ ...asked, status: 'denied' })} />
  )),
  bare('device/expired', 'Device: expired', () => (
    <DeviceView {...device} request={live({ ...asked, status: 'expired' })} />
  )),
  bare('device/error', 'Device: no such code', () => (
    <DeviceView {...device} request={{ ...failed, error: new HangarError('device_not_found') }} />
  )),
];
