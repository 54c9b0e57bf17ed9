import type { Me } from '@hangar/contract';
import { OPERATIONS } from '@hangar/contract/operations';
import { formatCount } from '@hangar/contract/words/number';
import { sizeInWords } from '@hangar/contract/words/size';
import { formatDuration } from '@hangar/contract/words/time';
import { Stack } from '@mantine/core';
import type { CSSProperties } from 'react';
import type { Loadable } from '../../../api/loadable.ts';
import { AsCommand, asCommand } from '../../../components/actions/as-command.tsx';
import { Facts } from '../../../components/figures/facts.tsx';
import { PageHeader, Section } from '../../../components/page.tsx';
import { LinesSkeleton, Loaded } from '../../../components/state/states.tsx';
import { toneColor } from '../../../components/state/tones.ts';
import classes from '../settings.module.css';

export function UseView({ me }: { me: Loadable<Me> }) {
  return (
    <>
      <PageHeader
        title="Plan and use"
        {...(me.data ? { sub: `Your plan is ${me.data.plan.title}. An admin can change it.` } : {})}
        actions={<AsCommand {...asCommand(OPERATIONS.access.me)} />}
      />
      <Loaded of={me} skeleton={<LinesSkeleton lines={6} />}>
        {({ plan, use }) => (
          <>
            <Section title="Use">
              <Stack gap={18} maw={520}>
                <Meter label="Jobs running" used={use.jobsRunning} limit={plan.jobsAtOnce} />
                <Meter label="Jobs waiting" used={use.jobsWaiting} limit={plan.jobsWaiting} />
                <Meter label="Sandboxes open" used={use.sandboxesOpen} limit={plan.sandboxesAtOnce} />
                <Meter
                  label="Minutes this month"
                  used={Math.round(use.minutesThisMonth)}
                  limit={plan.minutesPerMonth}
                  note={`starts again on ${new Date(use.periodEndsAt).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', timeZone: 'UTC' })}`}
                />
              </Stack>
            </Section>
            <Section title="Limits of one job">
              <Facts
                items={[
                  ['Longest timeout', formatDuration(plan.maxTimeoutSeconds * 1000)],
                  ['Artifacts', sizeInWords(plan.maxArtifactBytes)],
                  ['Log', sizeInWords(plan.maxLogBytes)],
                ]}
              />
            </Section>
            <Section title="What is kept">
              <Facts
                items={[
                  ['Logs', keptFor(plan.keepLogDays)],
                  ['Artifacts', keptFor(plan.keepArtifactDays)],
                  ['Both together', plan.keepBytes === null ? 'no limit' : `at most ${sizeInWords(plan.keepBytes)}`],
                ]}
              />
            </Section>
          </>
        )}
      </Loaded>
    </>
  );
}

const keptFor = (days: number | null): string => (days === null ? 'for ever' : days === 1 ? '1 day' : `${days} days`);

interface MeterProps {
  label: string;
  used: number;
  limit: number | null;
  note?: string;
}

/** How much of a limit is used; amber from 80 %, red when nothing is left. */
function Meter({ label, used, limit, note }: MeterProps) {
  const share = limit === null ? 0 : Math.min(1, used / limit);
  const color = share >= 1 ? toneColor('bad') : share >= 0.8 ? toneColor('needs') : 'var(--hg-accent)';
  return (
    <div className={classes.meter} style={{ '--tone': color } as CSSProperties}>
      <div className={classes.meterHead}>
        <span style={{ fontWeight: 500 }}>{label}</span>
        <span className={`${classes.dim} hg-num`}>
          {limit === null ? `${formatCount(used)}, no limit` : `${formatCount(used)} of ${formatCount(limit)}`}
        </span>
      </div>
      {limit === null ? null : (
        <div className={classes.meterTrack} aria-hidden>
          <div className={classes.meterFill} style={{ width: `${share * 100}%` }} />
        </div>
      )}
      {note === undefined ? null : <span className={classes.dim}>{note}</span>}
    </div>
  );
}
