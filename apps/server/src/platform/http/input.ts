import { HangarError } from '@hangar/contract';
import type { z } from 'zod';

/** Checks what a raw route was given. @throws HangarError validation_failed, naming the fields */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }));
  const first = issues[0];
  throw new HangarError('validation_failed', {
    message: `${first?.field ? `${first.field}: ` : ''}${first?.message}`,
    details: { issues },
  });
}
