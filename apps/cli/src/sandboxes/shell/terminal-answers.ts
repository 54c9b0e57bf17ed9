const ANSWERS =
  /^(?:\x1b\[[?>=]?[\d;]*\$?[cRnytu]|\x1b\[[IO]|\x1b\[<[\d;]+[Mm]|\x1b[\]P_][^\x07\x1b]*(?:\x07|\x1b\\))+$/;

/**
 * Whether all of it is what a terminal says by itself, or when a program asks it: where the cursor is, what it is, its colours, focus and
 * mouse (Control Sequences in xterm).
 */
export const isAnswer = (typed: Buffer): boolean => ANSWERS.test(typed.toString('latin1'));
