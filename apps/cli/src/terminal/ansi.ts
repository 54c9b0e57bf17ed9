/** What a log line may do to a terminal: have colours. Everything else a hostile line could send is taken out. */

// Introducers in both forms (ESC x and the single byte), and strings up to their end (BEL or ST) or the end of the line.
const STRINGS = /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[\s\S]*?(?:\u0007|\u001b\\|\u009c|$)/g;
const CSI = /(?:\u001b\[|\u009b)([0-?]*)([ -/]*)([@-~])?/g;
const OTHER_ESCAPES = /\u001b(?!\[)[ -/]*[0-~]?/g;
const CONTROLS = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]/g;
// Signs that turn the direction of text around: what is shown would not be what is there.
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A line without anything but text and, when asked for, colours (closed at the end). */
export function clean(line: string, keepColors: boolean): string {
  let text = lastDrawn(line).replace(STRINGS, '');
  let colored = false;
  text = text.replace(CSI, (_, parameters: string, between: string, final: string | undefined) => {
    if (!keepColors || final !== 'm' || between !== '' || !/^[0-9;:]*$/.test(parameters)) return '';
    colored = true;
    return `\u001b[${parameters}m`;
  });
  text = text.replace(OTHER_ESCAPES, '').replace(CONTROLS, '').replace(DIRECTIONS, '');
  if (!keepColors) text = text.replaceAll('\u001b', '');
  return colored ? `${text}\u001b[0m` : text;
}

/** Progress bars draw over themselves with a carriage return; what was drawn last is what counts. */
function lastDrawn(line: string): string {
  const whole = line.replace(/\r+$/, '');
  const at = whole.lastIndexOf('\r');
  return at < 0 ? whole : whole.slice(at + 1);
}
