import type { MachineAway, MachineLoad, MachinePlatform } from '@hangar/contract';
import { sizeInWords } from '@hangar/contract/words/size';

/** What a machine is and uses now; null: the sandbox is closed. */
export interface MachineNow {
  readonly platform: MachinePlatform | null;
  readonly load: MachineLoad | MachineAway | null;
}

const UNKNOWN = 'not known';
const size = (bytes: number | null) => (bytes === null ? UNKNOWN : sizeInWords(bytes));
const of = (used: string, most: string) => (most === UNKNOWN ? used : `${used} of ${most}`);
const cores = (value: number | null) => (value === null ? UNKNOWN : `${Math.round(value * 100) / 100}`);

/** As rows of a name and a value. */
export function machineRows({ platform, load }: MachineNow): [string, string][] {
  const rows: [string, string][] = [];
  if (platform !== null) {
    rows.push(['Machine', `${platform.distribution ?? platform.os}, ${platform.arch}, kernel ${platform.kernel}`]);
    rows.push(['Account', `${platform.user} (${platform.uid}), home ${platform.home}`]);
    const tools = Object.entries(platform.tools).flatMap(([name, version]) => (version === null ? [] : [name]));
    rows.push(['Tools', tools.join(', ') || 'none']);
  }
  if (load !== null && 'code' in load) rows.push(['Load', `${load.message} ${load.wayOut}`]);
  else if (load !== null) {
    rows.push(['CPU', of(cores(load.cpus), load.cpusMost === null ? UNKNOWN : `${cores(load.cpusMost)} cores`)]);
    rows.push(['Memory', of(size(load.memoryBytes), size(load.memoryMost))]);
    rows.push(['Disk', of(size(load.diskBytes), size(load.diskMost))]);
  }
  return rows;
}
