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

/** The fenced sh blocks (`sh`, `bash`, `shell`) of a spec, in order. */
export function shellBlocks(body: string): string[] {
  const blocks: string[] = [];
  const fence = /^ {0,3}(`{3,}|~{3,})[ \t]*(?:sh|bash|shell)\b[^\n]*\n([\s\S]*?)^ {0,3}\1[`~]*[ \t]*$/gm;
  for (const match of body.matchAll(fence)) blocks.push(match[2] ?? '');
  return blocks;
}
