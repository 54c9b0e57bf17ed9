import type { Activity } from '@hangar/contract';
import { Drawer, Group } from '@mantine/core';
import type { Loadable } from '../api/loadable.ts';
import { ActivityActions, ActivityPanel } from '../modules/activity/activity-panel.tsx';
import { KeysHelp } from './keys/keys-help.tsx';
import { Palette } from './palette/palette.tsx';
import type { PaletteAction } from './palette/palette-view.tsx';

export type ShellDialog = 'palette' | 'keys' | 'activity';

interface ShellDialogsProps {
  open: ShellDialog | null;
  onClose: () => void;
  actions: readonly PaletteAction[];
  activity: Loadable<{ current: Activity[]; recent: Activity[] }>;
}

/** What lies over every page: a module of its own, since no page begins with it. */
export function ShellDialogs({ open, onClose, actions, activity }: ShellDialogsProps) {
  return (
    <>
      <Palette opened={open === 'palette'} onClose={onClose} actions={actions} />
      <KeysHelp opened={open === 'keys'} onClose={onClose} />
      <Drawer
        opened={open === 'activity'}
        onClose={onClose}
        title={
          <Group gap={8}>
            Activity
            <ActivityActions onRefresh={activity.retry} refreshing={activity.refetching} />
          </Group>
        }
      >
        <ActivityPanel activity={activity} onFollow={onClose} />
      </Drawer>
    </>
  );
}
