import { nameOfProgram } from '../../../brought/programs.ts';
import type { Program, UnitKey } from '../../../port/unit.ts';

/** Labels of what this driver makes. */
export const LABEL = {
  managed: { 'app.kubernetes.io/managed-by': 'hangar' },
  instance: 'hangar.dev/instance',
  /** Name of the unit's Job, on all that belongs to it. */
  unit: 'hangar.dev/unit',
  /** Of whatever a unit is for. Called so since units were of jobs alone: those of older servers must be found and swept. */
  id: 'hangar.dev/job',
  attempt: 'hangar.dev/attempt',
  program: 'hangar.dev/program',
  files: 'hangar.dev/files',
  test: 'hangar.dev/test',
} as const;

/** A name that Kubernetes takes, of the unit alone. */
export const unitName = (key: UnitKey): string =>
  `hangar-${key.id.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${key.attempt}`;

export function unitLabels(instanceId: string, key: UnitKey, program: Program): Record<string, string> {
  return {
    ...{ [LABEL.instance]: instanceId, [LABEL.unit]: unitName(key) },
    ...{ [LABEL.id]: key.id, [LABEL.attempt]: String(key.attempt), [LABEL.program]: nameOfProgram(program) },
  };
}

export function unitOf(labels: Readonly<Record<string, string>>): UnitKey | null {
  const id = labels[LABEL.id];
  const attempt = Number(labels[LABEL.attempt]);
  return id === undefined || !Number.isInteger(attempt) ? null : { id, attempt };
}
