import type { Failure } from '@hangar/contract';
import { Button } from '@mantine/core';
import { IconCircleX } from '@tabler/icons-react';
import type { EvidenceLine } from './evidence.ts';
import classes from './job.module.css';

interface FailureBoxProps {
  failure: Failure;
  /** The line that shows it, and those around it. */
  lines: readonly EvidenceLine[];
  onLine: (n: number) => void;
  partialDiff: boolean;
  onDiff: () => void;
}

/** Why it ended badly: code, what happened, the way out, and the lines that show it. */
export function FailureBox({ failure, lines, onLine, partialDiff, onDiff }: FailureBoxProps) {
  const first = lines[0];
  return (
    <section className={classes.failure} aria-label="Why it failed">
      <IconCircleX size={17} color="var(--hg-bad)" aria-hidden />
      <div className={classes.failureText}>
        <div>
          <strong>{failure.message}</strong> <code className={classes.code}>{failure.code}</code>
        </div>
        <div className={classes.wayOut}>{failure.wayOut}</div>
        {first === undefined ? null : (
          <div className={classes.evidence}>
            {lines.map((line) => (
              <button
                key={line.n}
                type="button"
                data-it={line.isIt || undefined}
                onClick={() => onLine(line.n)}
                title={`Show line ${line.n} in the log`}
              >
                <span className={classes.lineNumber}>{line.n}</span>
                <span className={classes.lineText}>{line.text === '' ? ' ' : line.text}</span>
              </button>
            ))}
          </div>
        )}
        {partialDiff ? (
          <div className={classes.partial}>
            What was changed before it ended is kept as a partial diff.{' '}
            <Button size="compact-sm" variant="default" onClick={onDiff}>
              See the partial diff
            </Button>
          </div>
        ) : null}
      </div>
    </section>
  );
}
