import type { Param } from './list-filter.ts';

export const oneOf = <T extends string, A extends string>(at: A, known: readonly T[]): Param<T | null, A> => ({
  at,
  read: (typed) => known.find((one) => one === typed) ?? null,
  write: (value) => value ?? undefined,
  does: 'narrows',
});

/** Joined by commas. */
export const someOf = <T extends string, A extends string>(at: A, known: readonly T[]): Param<readonly T[], A> => ({
  at,
  read: (typed) =>
    known.filter((one) =>
      String(typed ?? '')
        .split(',')
        .includes(one),
    ),
  write: (value) => value.join(',') || undefined,
  does: 'narrows',
});

/** A column; with `-` before it the other way round. */
export const sorted = <T extends string, A extends string>(
  at: A,
  columns: readonly T[],
  usual: T,
): Param<T | `-${T}`, A> => ({
  at,
  read: (typed) => columns.flatMap((one) => [one, `-${one}` as const]).find((one) => one === typed) ?? usual,
  write: (value) => (value === usual ? undefined : value),
  does: 'orders',
});

/** From 1. */
export const page = <A extends string>(at: A, last: number): Param<number, A, number> => ({
  at,
  read: (typed) => Math.min(last, Math.max(1, Math.trunc(Number(typed ?? 1)) || 1)),
  write: (value) => (value === 1 ? undefined : value),
  does: 'pages',
});

/** What a click on a column asks for: its order, then the other way round, then the usual one. */
export function nextSort<T extends string>(
  columns: readonly T[],
  usual: T,
  sort: T | `-${T}`,
  column: string,
): T | `-${T}` {
  const known = columns.find((one) => one === column);
  if (known === undefined) return sort;
  if (sort === known) return `-${known}`;
  return sort === `-${known}` ? usual : known;
}
