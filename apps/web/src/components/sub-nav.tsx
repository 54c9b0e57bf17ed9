import { Link } from '@tanstack/react-router';
import classes from './sub-nav.module.css';

export interface SubNavItem {
  readonly to: string;
  readonly label: string;
  /** Kept in the address, such as which cluster is looked at. */
  readonly search?: Readonly<Record<string, string>>;
}

/** The pages of one place, on one line. */
export function SubNav({ label, items, current }: { label: string; items: readonly SubNavItem[]; current: string }) {
  return (
    <nav className={classes.nav} aria-label={label}>
      {items.map(({ to, label: name, search }) => (
        <Link
          key={to}
          to={to}
          {...(search ? { search } : {})}
          data-active={to === current || undefined}
          aria-current={to === current ? 'page' : undefined}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}
