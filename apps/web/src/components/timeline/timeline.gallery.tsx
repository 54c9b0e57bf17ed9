import type { GalleryEntry } from '../../gallery/registry.ts';
import { ago } from '../../gallery/samples.ts';
import { Timeline } from './timeline.tsx';
import type { TimelinePhase } from './timeline-model.ts';

const phase = (
  word: string,
  from: number | null,
  to: number | null,
  tone: TimelinePhase['tone'],
  reason: string | null = null,
): TimelinePhase => ({
  key: word,
  word,
  startedAt: from === null ? null : ago(from),
  endedAt: to === null ? null : ago(to),
  reason,
  tone,
});

const show = (phases: TimelinePhase[]) => () => <Timeline phases={phases} label="Phases" />;

export const entries: GalleryEntry[] = [
  {
    id: 'timeline/waiting',
    title: 'Waiting',
    render: show([
      phase('Waiting', 95, null, 'waiting', '2 jobs ahead of it for a free place (2 of 2 in use)'),
      phase('Starting', null, null, 'idle'),
      phase('Cloning', null, null, 'idle'),
      phase('Running', null, null, 'idle'),
    ]),
  },
  {
    id: 'timeline/running',
    title: 'Running, with what is usual',
    render: show([
      phase('Waiting', 260, 258, 'good'),
      phase('Starting', 258, 251, 'good', 'Pulled node:24-bookworm'),
      { ...phase('Cloning', 251, 238, 'good'), typicalMs: 9000 },
      { ...phase('Running', 238, null, 'working', 'The agent works'), typicalMs: 310_000 },
      phase('Collecting', null, null, 'idle'),
    ]),
  },
  {
    id: 'timeline/failed',
    title: 'Failed in the middle',
    render: show([
      phase('Waiting', 40, 39.6, 'good'),
      phase('Starting', 39.6, 38, 'good'),
      phase('Cloning', 38, 12, 'bad', 'No branch, tag or commit "release/does-not-exist" in the repository'),
      phase('Running', null, null, 'idle'),
    ]),
  },
];
