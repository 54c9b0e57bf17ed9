/** The parts of a spec that need no schema: the worker reads them and must start fast. */

/** The Markdown after the front matter. A spec that is broken there comes back whole: parseSpec is who complains. */
export function specBody(text: string): string {
  const plain = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const opened = /^---[ \t]*\n/.exec(plain);
  if (!opened) return plain;
  const rest = plain.slice(opened[0].length);
  const closed = /^(---|\.\.\.)[ \t]*$/m.exec(rest);
  return closed ? rest.slice(closed.index + closed[0].length).replace(/^\n+/, '') : plain;
}

/** The fenced sh blocks (`sh`, `bash`, `shell`) of a spec, in order. Line by line: its time grows with the text and no faster. */
export function shellBlocks(body: string): string[] {
  const blocks: string[] = [];
  const lines = body.split('\n');
  /** Fences that nothing closes any more, shortest first seen: whoever looks for one of them again need not. */
  const unclosed = new Map<string, number>();
  for (let at = 0; at < lines.length; at++) {
    const fence = /^ {0,3}(`{3,}|~{3,})[ \t]*(?:sh|bash|shell)\b/.exec(lines[at] ?? '')?.[1];
    if (fence === undefined || fence.length >= (unclosed.get(fence[0] ?? '') ?? Number.POSITIVE_INFINITY)) continue;
    const end = closingLine(lines, at + 1, fence);
    if (end < 0) {
      unclosed.set(fence[0] ?? '', fence.length);
      continue;
    }
    blocks.push(
      lines
        .slice(at + 1, end)
        .map((line) => `${line}\n`)
        .join(''),
    );
    at = end;
  }
  return blocks;
}

function closingLine(lines: readonly string[], from: number, fence: string): number {
  for (let at = from; at < lines.length; at++)
    if (/^ {0,3}([`~]{3,})[ \t]*$/.exec(lines[at] ?? '')?.[1]?.startsWith(fence)) return at;
  return -1;
}
