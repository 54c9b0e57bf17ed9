import { Link } from '@tanstack/react-router';
import { Fragment, type ReactNode, useEffect, useRef } from 'react';
import { Page } from '../../components/page.tsx';
import classes from './settings.module.css';

export interface SettingsFrameProps {
  /** The section shown. */
  current: string;
  isAdmin: boolean;
  children: ReactNode;
}

export function SettingsFrame({ current, isAdmin, children }: SettingsFrameProps) {
  const shown = SECTIONS.filter((section) => isAdmin || !section.adminOnly);
  const nav = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: on a phone the row of sections scrolls to the one that is shown
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>('[data-active]');
    if (nav.current && link)
      nav.current.scrollLeft = link.offsetLeft - nav.current.clientWidth / 2 + link.clientWidth / 2;
  }, [current, isAdmin]);
  return (
    <Page>
      <div className={classes.layout}>
        <nav ref={nav} className={classes.nav} aria-label="Settings">
          {shown.map((section, index) => (
            <Fragment key={section.id}>
              {section.group === shown[index - 1]?.group ? null : (
                <div className={classes.navGroup}>{section.group}</div>
              )}
              <Link
                {...(section.id === ''
                  ? { to: '/settings' as const }
                  : { to: '/settings/$section' as const, params: { section: section.id } })}
                data-active={section.id === current || undefined}
              >
                {section.label}
              </Link>
            </Fragment>
          ))}
        </nav>
        <div style={{ minWidth: 0 }}>{children}</div>
      </div>
    </Page>
  );
}

export interface SettingsSection {
  /** The end of the path; empty for the first. */
  id: string;
  label: string;
  group: 'Account' | 'Server';
  adminOnly: boolean;
}

export const SECTIONS: readonly SettingsSection[] = [
  { id: '', label: 'You', group: 'Account', adminOnly: false },
  { id: 'use', label: 'Plan and use', group: 'Account', adminOnly: false },
  { id: 'devices', label: 'Devices', group: 'Account', adminOnly: false },
  { id: 'keys', label: 'API keys', group: 'Account', adminOnly: false },
  { id: 'credentials', label: 'Credentials', group: 'Account', adminOnly: false },
  { id: 'profiles', label: 'Profiles', group: 'Server', adminOnly: false },
  { id: 'people', label: 'People', group: 'Server', adminOnly: true },
  { id: 'plans', label: 'Plans', group: 'Server', adminOnly: false },
];
