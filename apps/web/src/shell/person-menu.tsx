import type { Me } from '@hangar/contract';
import { Menu, SegmentedControl, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { IconKeyboard, IconLogout, IconSettings } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import classes from './shell.module.css';

export interface PersonMenuProps {
  me: Me | undefined;
  onKeys: () => void;
  onSignOut: () => void;
}

const SCHEMES = [
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
  { value: 'auto', label: 'Auto' },
] as const;

export function PersonMenu({ me, onKeys, onSignOut }: PersonMenuProps) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu width={232}>
      <Menu.Target>
        <UnstyledButton
          className={classes.avatar}
          aria-label={me ? `You: ${me.user.name}` : 'You'}
          data-initials={initials(me?.user.name ?? '')}
        />
      </Menu.Target>
      <Menu.Dropdown>
        {me === undefined ? null : (
          <div style={{ padding: '6px 12px 8px' }}>
            <div style={{ fontWeight: 500 }}>{me.user.name}</div>
            <div style={{ color: 'var(--hg-dim)', fontSize: 12, overflowWrap: 'anywhere' }}>{me.user.email}</div>
          </div>
        )}
        <div style={{ padding: '0 8px 8px' }}>
          <SegmentedControl
            fullWidth
            aria-label="Colours"
            data={[...SCHEMES]}
            value={colorScheme}
            onChange={(value) => setColorScheme(value as 'light' | 'dark' | 'auto')}
          />
        </div>
        <Menu.Divider />
        <Menu.Item component={Link} to="/settings" leftSection={<IconSettings size={15} />}>
          Settings
        </Menu.Item>
        <Menu.Item
          leftSection={<IconKeyboard size={15} />}
          rightSection={<kbd className={classes.key}>?</kbd>}
          onClick={onKeys}
        >
          Keys
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={15} />} onClick={onSignOut}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** `Ada Lovelace` → `AL` */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? '')][0] ?? '');
  return letters.join('').toUpperCase();
}
