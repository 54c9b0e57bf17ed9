import type { JobDetail } from '@hangar/contract';
import { CUSTOM, EMPTY_FORM, type JobForm, readSpec } from './new-job-form.ts';

/** A job as a form, to send it changed. Values of its variables are not known here. */
export function formOf(job: JobDetail, presets: readonly string[]): JobForm {
  return {
    ...EMPTY_FORM,
    repo: job.repo.url ?? '',
    ref: job.repo.ref ?? '',
    spec: job.spec,
    // The heading goes on being the title where that is what it was.
    title: job.title === readSpec(job.spec).spec?.title ? '' : job.title,
    ...agentFields(job.agent, presets),
    ...placeOf(job),
    credential: job.credential ?? '',
    timeout: typed(job.timeoutSeconds, DURATIONS),
    env: job.envNames.map((name, index) => ({ key: `job-${index}`, name, value: '' })),
  };
}

/** Of a sandbox nothing else: the rest of its machine comes with it. */
function placeOf({ sandbox, profile, image, resources }: JobDetail): Partial<JobForm> {
  if (sandbox !== null) return { place: 'sandbox', sandbox };
  const { cpus, memoryBytes, pids } = resources;
  return {
    profile,
    image: image ?? '',
    cpus: cpus === undefined ? '' : String(cpus),
    memory: memoryBytes === undefined ? '' : typed(memoryBytes, SIZES),
    pids: pids === undefined ? '' : String(pids),
  };
}

/** An agent by its name, or any other command. */
export const agentFields = (agent: string, presets: readonly string[]): Pick<JobForm, 'agent' | 'command'> =>
  presets.includes(agent) ? { agent, command: '' } : { agent: CUSTOM, command: agent };

const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];
const SIZES: readonly (readonly [string, number])[] = [
  ['g', 1024 ** 3],
  ['m', 1024 ** 2],
  ['k', 1024],
  ['', 1],
];

/** In the largest unit in which it is a whole number: `90m`, `2g`. */
function typed(amount: number, units: readonly (readonly [string, number])[]): string {
  const [unit, size] = units.find(([, one]) => amount % one === 0) ?? ['', 1];
  return `${amount / size}${unit}`;
}
