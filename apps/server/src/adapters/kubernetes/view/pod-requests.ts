import { quantity } from './quantity.ts';

type Amounts = Readonly<Record<string, string>>;

export interface Resources {
  readonly requests?: Amounts;
  readonly limits?: Amounts;
}

/** What is read of a container in a pod's spec. Never its environment. */
export interface RawContainer {
  readonly name: string;
  readonly image?: string;
  readonly restartPolicy?: string;
  readonly resources?: Resources;
}

interface Spec {
  readonly containers?: readonly RawContainer[];
  readonly initContainers?: readonly RawContainer[];
  readonly overhead?: Amounts;
  readonly resources?: Resources;
}

export interface PodRequests {
  readonly cpu: number | null;
  readonly cpuLimit: number | null;
  readonly memory: number | null;
  readonly memoryLimit: number | null;
  /** GPUs and the like; null when it asks for none. */
  readonly devices: Readonly<Record<string, number>> | null;
}

/**
 * What the scheduler counts for a pod: the containers with the sidecars, or the hungriest moment of the start if that is
 * more, and the overhead of the runtime. Amounts of the pod as a whole go before those of its containers.
 */
export function podRequests(spec: Spec | undefined): PodRequests {
  const containers = spec?.containers ?? [];
  const inits = spec?.initContainers ?? [];
  const requested = (name: string) => {
    const whole = quantity(spec?.resources?.requests?.[name]);
    const sum = whole ?? sumOf(containers, inits, name);
    return sum === null ? null : sum + (quantity(spec?.overhead?.[name]) ?? 0);
  };
  return {
    cpu: requested('cpu'),
    memory: requested('memory'),
    cpuLimit: limitOf(spec, containers, 'cpu'),
    memoryLimit: limitOf(spec, containers, 'memory'),
    devices: devicesOf(containers, inits),
  };
}

const asked = (container: RawContainer, name: string): number | null =>
  quantity(container.resources?.requests?.[name] ?? container.resources?.limits?.[name]);

function sumOf(containers: readonly RawContainer[], inits: readonly RawContainer[], name: string): number | null {
  let sum = 0;
  let isAsked = false;
  const amount = (container: RawContainer) => {
    const value = asked(container, name);
    isAsked ||= value !== null;
    return value ?? 0;
  };
  for (const container of containers) sum += amount(container);
  let sidecars = 0;
  let peak = 0;
  for (const init of inits) {
    if (init.restartPolicy === 'Always') {
      sidecars += amount(init);
      peak = Math.max(peak, sidecars);
    } else peak = Math.max(peak, sidecars + amount(init));
  }
  return isAsked ? Math.max(sum + sidecars, peak) : null;
}

/** null: without a limit, which one container without one is enough for. */
function limitOf(spec: Spec | undefined, containers: readonly RawContainer[], name: string): number | null {
  const whole = quantity(spec?.resources?.limits?.[name]);
  if (whole !== null) return whole;
  let sum = 0;
  for (const container of containers) {
    const limit = quantity(container.resources?.limits?.[name]);
    if (limit === null) return null;
    sum += limit;
  }
  return containers.length === 0 ? null : sum;
}

function devicesOf(containers: readonly RawContainer[], inits: readonly RawContainer[]): Record<string, number> | null {
  let names: Set<string> | null = null;
  for (const { resources } of [...containers, ...inits])
    for (const name in resources?.requests ?? resources?.limits)
      if (isDevice(name)) names = (names ?? new Set()).add(name);
  if (names === null) return null;
  return Object.fromEntries([...names].map((name) => [name, sumOf(containers, inits, name) ?? 0]));
}

/** Extended resources have a domain before a slash; those of kubernetes.io are no devices. */
export const isDevice = (name: string): boolean => name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name);
