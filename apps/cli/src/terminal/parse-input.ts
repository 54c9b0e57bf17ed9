import { HangarError } from '@hangar/contract/errors';

interface Schema<T> {
  safeParse(
    input: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: { path: PropertyKey[]; message: string; code: string }[] } };
}

/** Checks what was put together from options against the contract, before anything is sent. @throws HangarError validation_failed */
export function parseInput<T>(schema: Schema<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  if (issues.some(({ path, code }) => path[0] === 'driver' && code === 'invalid_union'))
    throw new HangarError('driver_unknown');
  throw new HangarError('validation_failed', {
    message: 'Some options are not right.',
    wayOut: 'Correct them and try again.',
    details: { issues: issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message })) },
  });
}
