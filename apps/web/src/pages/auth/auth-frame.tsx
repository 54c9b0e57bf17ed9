import type { ReactNode } from 'react';
import { Mark } from '../../shell/mark.tsx';
import classes from './auth.module.css';

export interface AuthFrameProps {
  title: string;
  lead?: ReactNode;
  foot?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

/** The page around everything that happens before or beside the shell. */
export function AuthFrame({ title, lead, foot, wide = false, children }: AuthFrameProps) {
  return (
    <div className={classes.frame}>
      <title>{`${title} · Hangar`}</title>
      <header className={classes.brand}>
        <Mark size={26} />
        Hangar
      </header>
      <main className={classes.card} data-wide={wide || undefined}>
        <h1>{title}</h1>
        {lead === undefined ? <div style={{ height: 14 }} /> : <p className={classes.lead}>{lead}</p>}
        {children}
      </main>
      {foot === undefined ? null : <footer className={classes.foot}>{foot}</footer>}
    </div>
  );
}
