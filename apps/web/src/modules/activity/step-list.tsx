import type { ActivityStep } from '@hangar/contract';
import { durationOf, STEP_WORDS } from '@hangar/contract/words/activity';
import { formatDuration } from '@hangar/contract/words/time';
import { useNow } from '../../components/figures/time.tsx';
import { StateIcon } from '../../components/state/state-badge.tsx';
import classes from './activity.module.css';

/** Check, spinner, circle or cross with its error, and how long each step took. */
export function StepList({ steps }: { steps: readonly ActivityStep[] }) {
  const now = useNow();
  return (
    <ol className={classes.steps}>
      {steps.map((step, index) => {
        const duration = durationOf(step, now);
        const status = STEP_WORDS[step.status];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps keep their order and may repeat a name
          <li key={index} className={classes.step} data-status={step.status}>
            <StateIcon tone={status.tone} />
            <span className={classes.stepName}>
              {step.name}
              <span className="hg-sr">, {status.word}</span>
            </span>
            <span className={`${classes.stepTime} hg-num`}>{duration === null ? '' : formatDuration(duration)}</span>
            {step.error === null ? null : <span className={classes.stepError}>{step.error}</span>}
          </li>
        );
      })}
    </ol>
  );
}
