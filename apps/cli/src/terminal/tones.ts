import { type StateWords, TONES, type Tone } from '@hangar/contract/words/tone';
import type { Palette } from './terminal.ts';

const PAINT: Record<Tone, keyof Palette> = {
  waiting: 'dim',
  working: 'blue',
  good: 'green',
  needs: 'yellow',
  bad: 'red',
  ended: 'dim',
  idle: 'dim',
};

export const toneMark = (tone: Tone, color: Palette): string => color[PAINT[tone]](TONES[tone].mark);

/** Mark and word of a state; never colour alone. */
export const stateText = ({ tone, word }: StateWords, color: Palette): string =>
  color[PAINT[tone]](`${TONES[tone].mark} ${word}`);

/** The state and why; once, where the reason begins with the word: `○ Waiting for a free place`. */
export const stateAndReason = (words: StateWords, reason: string, color: Palette): string =>
  reason.toLowerCase().startsWith(words.word)
    ? stateText({ ...words, word: reason }, color)
    : `${stateText(words, color)}${reason === '' ? '' : `: ${reason}`}`;
