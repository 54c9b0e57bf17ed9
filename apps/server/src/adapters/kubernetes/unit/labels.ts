import type { UnitKey } from '../../../features/jobs/launch/launcher.ts';

/** Labels of what this driver makes. */
export const LABEL = {
  managed: { 'app.kubernetes.io/managed-by': 'hangar' },
  instance: 'hangar.dev/instance',
  /** Name of the unit's Job, on all that belongs to it. */
  unit: 'hangar.dev/unit',
  job: 'hangar.dev/job',
  attempt: 'hangar.dev/attempt',
  files: 'hangar.dev/files',
  test: 'hangar.dev/test',
} as const;

/** A name that Kubernetes takes, of the unit alone. */
export const unitName = (unit: UnitKey): string =>
  `hangar-${unit.jobId.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${unit.attempt}`;

export function unitLabels(instanceId: string, unit: UnitKey): Record<string, string> {
  return {
    ...{ [LABEL.instance]: instanceId, [LABEL.unit]: unitName(unit) },
    ...{ [LABEL.job]: unit.jobId, [LABEL.attempt]: String(unit.attempt) },
  };
}

export function unitOf(labels: Readonly<Record<string, string>>): UnitKey | null {
  const jobId = labels[LABEL.job];
  const attempt = Number(labels[LABEL.attempt]);
  return jobId === undefined || !Number.isInteger(attempt) ? null : { jobId, attempt };
}
