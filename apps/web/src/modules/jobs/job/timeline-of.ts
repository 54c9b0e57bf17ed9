import type { Job, JobDetail, JobPhase, Phase } from '@hangar/contract';
import { isFinal, JOB_PHASES } from '@hangar/contract/state-words';
import { JOB_WORDS, jobWords } from '@hangar/contract/words/job';
import type { Tone } from '../../../components/state/tones.ts';
import type { TimelinePhase } from '../../../components/timeline/timeline-model.ts';

/** The phases of a job, those to come included; the one in which it ended badly says so. */
export function timelineOf(
  job: Pick<Job, 'phases' | 'state' | 'reason' | 'cancelRequestedAt' | 'failure'> & Partial<Pick<JobDetail, 'typical'>>,
): TimelinePhase[] {
  const last = job.phases.at(-1);
  const ended = isFinal(job.state);
  const status = jobWords(job);
  const culprit = ended ? culpritOf(job) : last;
  const usual = (name: JobPhase) => {
    const median = job.typical?.find((phase) => phase.name === name)?.medianSeconds;
    return median === undefined ? {} : { typicalMs: median * 1000 };
  };
  const begun = job.phases.map((phase): TimelinePhase => {
    const isOpen = phase.endedAt === null && !ended;
    const tone: Tone = isOpen ? status.tone : phase === culprit ? status.tone : 'good';
    return {
      key: phase.name,
      word: JOB_WORDS[phase.name].word,
      startedAt: phase.startedAt,
      endedAt: phase.endedAt ?? (ended ? phase.startedAt : null),
      reason: isOpen ? job.reason : phase.reason,
      tone,
      ...usual(phase.name),
    };
  });
  if (ended) return begun;
  const reached = last === undefined ? -1 : JOB_PHASES.indexOf(last.name);
  const coming = JOB_PHASES.slice(reached + 1).map(
    (name): TimelinePhase => ({
      key: name,
      word: JOB_WORDS[name].word,
      startedAt: null,
      endedAt: null,
      reason: null,
      tone: 'idle',
      ...usual(name),
    }),
  );
  return [...begun, ...coming];
}

/** Where it ended. After an agent that failed or was stopped the diff is still collected: that went well. */
function culpritOf({ phases, state, failure }: Pick<Job, 'phases' | 'state' | 'failure'>): Phase | undefined {
  const last = phases.at(-1);
  if (last?.name !== 'collecting' || state === 'succeeded' || state === 'lost' || failure?.code === 'collect_failed')
    return last;
  return phases.findLast((phase) => phase.name === 'running') ?? last;
}
