import classes from './command.module.css';
import { CopyButton } from './copy-button.tsx';

/** A command to copy, on one line. */
export function Command({ text, label }: { text: string; label?: string }) {
  return (
    <div className={classes.line}>
      {label === undefined ? null : <span className={classes.label}>{label}</span>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <code tabIndex={0}>{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}
