/** Columns of a text in a monospace font: wide characters (East Asian, emoji) take two, combining marks none. */
export function cellsOf(text: string): number {
  if (isNarrow(text)) return text.length;
  let cells = 0;
  for (const char of text) cells += widthOf(char.codePointAt(0) ?? 0);
  return cells;
}

const OTHER = /[^\u0020-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f]/;
/** Whether each character is one column for sure. Where it is not, fonts decide and the view measures. */
export const isNarrow = (text: string): boolean => !OTHER.test(text);

const ZERO = /^(?:\p{Mn}|\p{Me}|[\u200b-\u200f])$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]$|^\p{Emoji_Presentation}$/u;

function widthOf(codePoint: number): number {
  const char = String.fromCodePoint(codePoint);
  if (ZERO.test(char)) return 0;
  return WIDE.test(char) || codePoint >= 0x20000 ? 2 : 1;
}
