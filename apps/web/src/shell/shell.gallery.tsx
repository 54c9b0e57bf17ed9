import type { ReactNode } from 'react';
import type { LiveState } from '../api/live.tsx';
import { me } from '../gallery/people.ts';
import type { GalleryEntry } from '../gallery/registry.ts';
import { ago, failed as broken, live } from '../gallery/samples.ts';
import { ActivityBanner } from '../modules/activity/activity-banner.tsx';
import { completed, running } from '../modules/activity/samples.ts';
import { LaterView } from '../pages/later/later-page.tsx';
import { OperationsView } from '../pages/operations/operations-page.tsx';
import { MissingPage } from './crash.tsx';
import { KeysHelp } from './keys/keys-help.tsx';
import { type PaletteAction, PaletteView } from './palette/palette-view.tsx';
import { PersonMenu } from './person-menu.tsx';
import { PLACES } from './places.ts';
import { type Crumb, ShellView } from './shell-view.tsx';

const nothing = () => {};
const OPEN: LiveState = { status: 'open', freshAt: ago(1) };
const LOST: LiveState = { status: 'lost', freshAt: ago(49) };

interface FrameOptions {
  path: string;
  crumbs: Crumb[];
  page: ReactNode;
  state?: LiveState;
  banner?: ReactNode;
}

const frame = ({ path, crumbs, page, state = OPEN, banner = null }: FrameOptions) => (
  <ShellView
    path={path}
    crumbs={crumbs}
    live={state}
    version="0.1.0"
    banner={banner}
    person={<PersonMenu me={me} onKeys={nothing} onSignOut={nothing} />}
    onSearch={nothing}
  >
    {page}
  </ShellView>
);

const operations = <OperationsView activity={live({ current: [running], recent: [completed] })} isAdmin />;
const banner = <ActivityBanner activity={running} more={1} onOpen={nothing} onDismiss={nothing} />;
const at = { path: '/operations', crumbs: [{ label: 'Operations' }] };

const actions: PaletteAction[] = [
  { id: 'new', label: 'New job', run: nothing },
  { id: 'copy', label: 'Copy command', detail: 'hangar run --cloud --spec spec.md', run: nothing },
];
const palette = { opened: true, onClose: nothing, onText: nothing, onHit: nothing, error: null, searching: false };

export const entries: GalleryEntry[] = [
  { id: 'shell/quiet', title: 'Nothing going on', frame: 'whole', render: () => frame({ ...at, page: operations }) },
  {
    id: 'shell/banner',
    title: 'With a banner',
    frame: 'whole',
    render: () => frame({ ...at, page: operations, banner }),
  },
  {
    id: 'shell/lost',
    title: 'Connection lost',
    frame: 'whole',
    render: () => frame({ ...at, page: operations, state: LOST }),
  },
  {
    id: 'shell/long-crumb',
    title: 'A long place',
    frame: 'whole',
    render: () =>
      frame({
        path: '/jobs/j_7k2m9qx4',
        crumbs: [{ label: 'Jobs', to: '/jobs' }, { label: 'j_7k2m9qx4zzb0h8r3tq1m6v5c2n9x4k7p0d' }],
        page: <OperationsView activity={broken} />,
        banner,
      }),
  },
  ...PLACES.filter((place) => !place.here).map((place) => ({
    id: `shell/later${place.to}`,
    title: `${place.label}: not in this version`,
    frame: 'whole' as const,
    render: () => frame({ path: place.to, crumbs: [{ label: place.label }], page: <LaterView place={place} /> }),
  })),
  {
    id: 'shell/missing',
    title: 'No such page',
    frame: 'whole',
    render: () => frame({ path: '/nowhere', crumbs: [{ label: 'Hangar' }], page: <MissingPage /> }),
  },
  {
    id: 'shell/palette',
    title: 'Palette',
    render: () => (
      <PaletteView
        {...palette}
        text="add"
        actions={actions}
        hits={[
          {
            kind: 'job',
            id: 'j_7k2m9qx4',
            title: 'Add full-text search to the notes list',
            detail: 'running, notes',
            link: '/jobs/j_7k2m9qx4',
          },
          { kind: 'profile', id: 'builder', title: 'builder', detail: 'docker', link: '/settings/profiles' },
        ]}
      />
    ),
  },
  {
    id: 'shell/palette-none',
    title: 'Palette: nothing found',
    render: () => <PaletteView {...palette} text="zzz" actions={actions} hits={[]} />,
  },
  { id: 'shell/keys', title: 'Keys', render: () => <KeysHelp opened onClose={nothing} /> },
];
