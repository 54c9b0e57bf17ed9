import { Tooltip, UnstyledButton } from '@mantine/core';
import { IconCloudOff, IconSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { LiveState } from '../api/live.tsx';
import { clockTime } from '../components/figures/time.tsx';
import { Mark } from './mark.tsx';
import { PLACES } from './places.ts';
import classes from './shell.module.css';

export interface Crumb {
  label: string;
  to?: string;
}

export interface ShellViewProps {
  path: string;
  crumbs: readonly Crumb[];
  live: LiveState;
  version: string | undefined;
  /** The activity banner, when there is one. */
  banner: ReactNode;
  person: ReactNode;
  onSearch: () => void;
  children: ReactNode;
}

const isHere = (path: string, to: string) => path === to || path.startsWith(`${to}/`);

/** Left rail (a bottom bar on phones), top line, page. */
export function ShellView({ path, crumbs, live, version, banner, person, onSearch, children }: ShellViewProps) {
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        Skip to the page
      </a>
      <nav className={classes.rail} aria-label="Places">
        <Link to="/jobs" className={classes.brand}>
          <Mark />
          <span className={classes.label}>Hangar</span>
        </Link>
        {PLACES.map(({ to, label, Icon }) => (
          <RailLink key={to} to={to} label={label} isActive={isHere(path, to)} spring={to === '/settings'}>
            <Icon size={17} stroke={1.7} aria-hidden />
          </RailLink>
        ))}
        <div className={classes.version}>{version === undefined ? '' : `Hangar ${version}`}</div>
      </nav>
      <div className={classes.column}>
        <header className={classes.top}>
          <nav aria-label="You are here" style={{ minWidth: 0 }}>
            <ol className={classes.crumbs}>
              {crumbs.map((crumb) => (
                <li key={crumb.label}>
                  {crumb.to === undefined ? crumb.label : <Link to={crumb.to}>{crumb.label}</Link>}
                </li>
              ))}
            </ol>
          </nav>
          <div className={classes.middle}>{banner}</div>
          <UnstyledButton className={classes.search} onClick={onSearch}>
            <IconSearch size={15} aria-hidden />
            <span>Search or do</span>
            <kbd className={classes.key}>Ctrl K</kbd>
          </UnstyledButton>
          {person}
        </header>
        <main className={classes.main} id="main" tabIndex={-1}>
          <LiveLine live={live} />
          {children}
        </main>
      </div>
      {banner === null ? null : <div className={classes.float}>{banner}</div>}
      <nav className={classes.bottom} aria-label="Places">
        {PLACES.map(({ to, label, Icon }) => (
          <Link key={to} to={to} data-active={isHere(path, to) || undefined}>
            <Icon size={20} stroke={1.7} aria-hidden />
            {label}
          </Link>
        ))}
      </nav>
    </div>
  );
}

interface RailLinkProps {
  to: string;
  label: string;
  isActive: boolean;
  spring: boolean;
  children: ReactNode;
}

function RailLink({ to, label, isActive, spring, children }: RailLinkProps) {
  return (
    <>
      {spring ? <div className={classes.spring} /> : null}
      <Tooltip label={label} position="right" disabled={window.innerWidth > 1024}>
        <Link
          to={to}
          className={classes.place}
          data-active={isActive || undefined}
          {...(isActive ? { 'aria-current': 'page' as const } : {})}
        >
          {children}
          <span className={classes.label}>{label}</span>
        </Link>
      </Tooltip>
    </>
  );
}

/** One quiet line while the connection is lost; takes no place of its own. */
function LiveLine({ live }: { live: LiveState }) {
  return (
    <div role="status" aria-live="polite">
      {live.status === 'lost' ? (
        <div className={classes.liveLine}>
          <IconCloudOff size={14} aria-hidden />
          reconnecting{live.freshAt === null ? '' : `, data from ${clockTime(live.freshAt)}`}
        </div>
      ) : null}
    </div>
  );
}
