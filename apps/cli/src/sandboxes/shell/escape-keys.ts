/** What somebody wants of the command line itself, in the middle of what they type. */
export type Escape = 'leave' | 'help';

const [CR, LF, TILDE, DOT, QUESTION] = [0x0d, 0x0a, 0x7e, 0x2e, 0x3f];

/**
 * Finds what is typed behind a tilde at the begin of a line, as ssh has it: `~.` leaves, `~?` says so, `~~` is one tilde. Everything else
 * goes through as it is.
 */
export function createEscapeKeys() {
  let atBegin = true;
  let tilde = false;
  return (typed: Uint8Array): { readonly bytes: Uint8Array; readonly wants: Escape | null } => {
    const out: number[] = [];
    for (const byte of typed) {
      if (tilde) {
        tilde = false;
        if (byte === DOT) return { bytes: Uint8Array.from(out), wants: 'leave' };
        if (byte === QUESTION) {
          atBegin = true;
          return { bytes: Uint8Array.from(out), wants: 'help' };
        }
        out.push(TILDE);
        atBegin = false;
        if (byte === TILDE) continue;
      } else if (atBegin && byte === TILDE) {
        tilde = true;
        continue;
      }
      out.push(byte);
      atBegin = byte === CR || byte === LF;
    }
    return { bytes: Uint8Array.from(out), wants: null };
  };
}
