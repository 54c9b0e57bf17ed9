import type { CSSProperties, ReactNode } from 'react';
import classes from './page.module.css';

export interface PageProps {
  /** `wide` for tables and logs (no limit), `normal` 1080 px, `narrow` 680 px for forms. */
  width?: 'narrow' | 'normal' | 'wide';
  children: ReactNode;
}

const WIDTHS = { narrow: '736px', normal: '1136px', wide: '1800px' } as const;

export function Page({ width = 'normal', children }: PageProps) {
  return (
    <div className={classes.page} style={{ '--page-width': WIDTHS[width] } as CSSProperties}>
      {children}
    </div>
  );
}

export interface PageHeaderProps {
  title: ReactNode;
  /** A StateBadge beside the title. */
  state?: ReactNode;
  /** One quiet line under the title. */
  sub?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, state, sub, actions }: PageHeaderProps) {
  return (
    <header className={classes.header}>
      {typeof title === 'string' ? <title>{`${title} · Hangar`}</title> : null}
      <div className={classes.heading}>
        <h1 className={classes.title}>
          <span>{title}</span>
          {state === undefined ? null : <span style={{ fontSize: 13 }}>{state}</span>}
        </h1>
        {sub === undefined ? null : <div className={classes.sub}>{sub}</div>}
      </div>
      {actions === undefined ? null : <div className={classes.actions}>{actions}</div>}
    </header>
  );
}

export interface SectionProps {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Section({ title, description, actions, children }: SectionProps) {
  return (
    <section className={classes.section} aria-label={title}>
      <div className={classes.sectionHead}>
        <div className={classes.sectionText}>
          <h2>{title}</h2>
          {description === undefined ? null : <p>{description}</p>}
        </div>
        {actions === undefined ? null : <div className={classes.actions}>{actions}</div>}
      </div>
      {children}
    </section>
  );
}
