import { ActionIcon, Tooltip, useMantineColorScheme } from '@mantine/core';
import {
  IconActivity,
  IconKeyboard,
  IconLogout,
  IconMoonStars,
  IconPlus,
  IconSun,
  IconTerminal2,
} from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useApi, useMe } from '../api/client.tsx';
import { LiveProvider, useLive } from '../api/live.tsx';
import { loadable } from '../api/loadable.ts';
import { useStreams } from '../api/streams/streams.tsx';
import { copyText } from '../components/actions/copy.tsx';
import { useNotice } from '../components/actions/notices.tsx';
import { ActivityBanner } from '../modules/activity/activity-banner.tsx';
import { useBanner } from '../modules/activity/use-banner.ts';
import { crumbsOf } from './crumbs.ts';
import type { ShellDialog } from './dialogs.tsx';
import { usePageKeys } from './keys/keys.ts';
import { ActionsProvider } from './palette/actions.tsx';
import type { PaletteAction } from './palette/palette-view.tsx';
import { PersonMenu } from './person-menu.tsx';
import { PLACES } from './places.ts';
import { ShellView } from './shell-view.tsx';

/** Everything around a page of somebody who is signed in. The page loads at the same time as the person. */
export function AppLayout() {
  const me = useMe();
  return (
    <LiveProvider me={me}>
      <ActionsProvider>
        <Frame />
      </ActionsProvider>
    </LiveProvider>
  );
}

function Frame() {
  const api = useApi();
  const queries = useQueryClient();
  const streams = useStreams();
  const me = useMe();
  const live = useLive();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const notify = useNotice();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { dialogs, open, show, close } = useDialogs();

  const activityQuery = useQuery(
    api.activity.list.queryOptions({ input: { limit: 30 }, enabled: me.data !== undefined }),
  );
  const activity = loadable(activityQuery);
  const banner = useBanner(activity.data?.current ?? [], activity.data?.recent ?? []);

  const signOut = useMutation(
    api.access.signOut.mutationOptions({
      onSuccess: () => {
        streams.signedOut();
        queries.clear();
        void navigate({ to: '/sign-in', search: {} });
      },
      onError: (error) => notify({ text: error.message, tone: 'bad' }),
    }),
  );

  usePageKeys({
    onPalette: () => show('palette'),
    onHelp: () => show('keys'),
    onNew: () => void navigate({ to: '/jobs/new' }),
    onGo: (key) => {
      const place = PLACES.find((candidate) => candidate.key === key);
      if (place) void navigate({ to: place.to });
    },
  });

  const dark = colorScheme === 'dark';
  const actions: PaletteAction[] = [
    { id: 'new-job', label: 'New job', Icon: IconPlus, run: () => void navigate({ to: '/jobs/new' }) },
    ...PLACES.map(({ to, label, Icon }) => ({
      id: `go${to}`,
      label: `Go to ${label.toLowerCase()}`,
      Icon,
      run: () => void navigate({ to }),
    })),
    { id: 'activity', label: 'Show activity', Icon: IconActivity, run: () => show('activity') },
    {
      id: 'copy-run',
      label: 'Copy command',
      detail: 'hangar run --cloud --spec spec.md',
      Icon: IconTerminal2,
      run: () =>
        void copyText('hangar run --cloud --spec spec.md').then((copied) =>
          notify(copied ? { text: 'Copied' } : { text: 'The browser refused to copy', tone: 'bad' }),
        ),
    },
    {
      id: 'scheme',
      label: dark ? 'Light colours' : 'Dark colours',
      Icon: dark ? IconSun : IconMoonStars,
      run: () => setColorScheme(dark ? 'light' : 'dark'),
    },
    { id: 'keys', label: 'Keys', Icon: IconKeyboard, run: () => show('keys') },
    { id: 'sign-out', label: 'Sign out', Icon: IconLogout, run: () => signOut.mutate({}) },
  ];

  return (
    <>
      <ShellView
        path={pathname}
        crumbs={crumbsOf(pathname)}
        live={live}
        version={me.data?.server.version}
        onSearch={() => show('palette')}
        banner={
          banner ? (
            <ActivityBanner
              activity={banner.activity}
              more={banner.more}
              onOpen={() => show('activity')}
              onDismiss={banner.dismiss}
            />
          ) : null
        }
        person={
          <>
            <Tooltip label="Activity">
              <ActionIcon size={30} aria-label="Activity" onClick={() => show('activity')}>
                <IconActivity size={17} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
            <PersonMenu me={me.data} onKeys={() => show('keys')} onSignOut={() => signOut.mutate({})} />
          </>
        }
      >
        <Outlet />
      </ShellView>
      {dialogs === null ? null : (
        <dialogs.ShellDialogs open={open} onClose={close} actions={actions} activity={activity} />
      )}
    </>
  );
}

/** What lies over the page is loaded when the page has come to rest, or when it is asked for. */
function useDialogs() {
  const notify = useNotice();
  const [dialogs, setDialogs] = useState<typeof import('./dialogs.tsx') | null>(null);
  const [open, setOpen] = useState<ShellDialog | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => void loadDialogs().then(setDialogs, () => {}), AT_REST_MS);
    return () => clearTimeout(timer);
  }, []);
  return {
    dialogs,
    open,
    show(what: ShellDialog) {
      setOpen(what);
      if (dialogs !== null) return;
      loadDialogs().then(setDialogs, () => {
        setOpen(null);
        notify({ text: 'The server does not answer. Try again soon.', tone: 'bad' });
      });
    },
    close: () => setOpen(null),
  };
}

const AT_REST_MS = 2000;
const loadDialogs = () => import('./dialogs.tsx');
