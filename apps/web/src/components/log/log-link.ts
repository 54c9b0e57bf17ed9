/** Lines that are marked and linked to, both ends included. */
export interface LineRange {
  readonly from: number;
  readonly to: number;
}

/** `L123` or `L10-L20`, with or without `#`; null when it is neither. */
export function parseLineHash(hash: string): LineRange | null {
  const match = /^#?L(\d{1,10})(?:-L?(\d{1,10}))?$/.exec(hash);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (first < 1 || last < 1) return null;
  return { from: Math.min(first, last), to: Math.max(first, last) };
}

/** The hash that links to lines, without `#`. */
export const lineHash = ({ from, to }: LineRange): string => (from === to ? `L${from}` : `L${from}-L${to}`);

/** The marked lines after a click on a line number: with shift the range grows to it, a second click unmarks. */
export function clickLine(marked: LineRange | null, n: number, extend: boolean): LineRange | null {
  if (extend && marked !== null)
    return n < marked.from ? { from: n, to: marked.to } : { from: marked.from, to: Math.max(n, marked.from) };
  return marked?.from === n && marked.to === n ? null : { from: n, to: n };
}
