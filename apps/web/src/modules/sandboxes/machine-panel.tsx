import type { MachinePlatform } from '@hangar/contract';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Loadable } from '../../api/loadable.ts';
import { Facts } from '../../components/figures/facts.tsx';
import { Section } from '../../components/page.tsx';
import { EmptyState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { cores, LoadGraphs, type LoadReading, size, UNKNOWN } from './load-graphs.tsx';

export interface MachinePanelProps {
  unable: string | null;
  platform: Loadable<MachinePlatform>;
  load: LoadReading;
}

/** What the machine of a sandbox is, has and uses. */
export function MachinePanel({ unable, platform, load }: MachinePanelProps) {
  if (unable !== null) return <EmptyState sentence={unable} />;
  return (
    <>
      <Section title="In use">
        <LoadGraphs load={load} />
      </Section>
      <Section title="What it is">
        <Loaded of={platform} skeleton={<LinesSkeleton lines={6} />}>
          {(shown) => <Platform {...shown} />}
        </Loaded>
      </Section>
    </>
  );
}

function Platform(shown: MachinePlatform) {
  const tools = Object.entries(shown.tools);
  const missing = tools.flatMap(([name, version]) => (version === null ? [name] : []));
  const skew =
    Math.abs(shown.clockSkewMs) < 2_000 ? 'as here' : `${formatSeconds(Math.abs(shown.clockSkewMs) / 1000)} `;
  return (
    <Facts
      items={[
        ['System', shown.distribution ?? shown.os],
        ['Kernel', `${shown.os} ${shown.kernel}, ${shown.arch}`],
        ['Account', `${shown.user} (${shown.uid})`],
        ['Home', <code key="home">{shown.home}</code>],
        ['CPU', shown.cpus === null ? UNKNOWN : cores(shown.cpus)],
        ['Memory', size(shown.memoryBytes)],
        [
          'Disk',
          shown.diskFreeBytes === null
            ? size(shown.diskBytes)
            : `${size(shown.diskBytes)}, ${size(shown.diskFreeBytes)} free`,
        ],
        ['Tools', tools.flatMap(([name, version]) => (version === null ? [] : [version || name])).join(', ') || 'none'],
        ['Missing', missing.join(', ') || 'none'],
        ['Clock', skew === 'as here' ? skew : `${skew}${shown.clockSkewMs > 0 ? 'ahead' : 'behind'}`],
      ]}
    />
  );
}
