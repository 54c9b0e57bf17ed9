import type { ReactNode } from 'react';
import { Command } from './command.tsx';
import classes from './states.module.css';

export interface EmptyStateProps {
  icon?: ReactNode;
  /** One sentence: what this is for. */
  sentence: ReactNode;
  /** The one button. */
  action?: ReactNode;
  /** The one command. */
  command?: string;
}

export function EmptyState({ icon, sentence, action, command }: EmptyStateProps) {
  return (
    <div className={classes.empty}>
      {icon === undefined ? null : <div className={classes.emptyIcon}>{icon}</div>}
      <p>{sentence}</p>
      {action}
      {command === undefined ? null : (
        <div className={classes.command}>
          <Command text={command} />
        </div>
      )}
    </div>
  );
}
