/** The one vocabulary of states, for all nouns. `needs`: waits for a person. `idle`: not begun; only steps and phases are. */
export type Tone = 'waiting' | 'working' | 'good' | 'needs' | 'bad' | 'ended' | 'idle';

/** What a tone looks like where there is no colour, and how it is read aloud. */
export const TONES: Readonly<Record<Tone, { readonly mark: string; readonly spoken: string }>> = {
  waiting: { mark: '○', spoken: 'waiting' },
  working: { mark: '◐', spoken: 'going on' },
  good: { mark: '✓', spoken: 'done' },
  needs: { mark: '!', spoken: 'needs you' },
  bad: { mark: '✗', spoken: 'failed' },
  ended: { mark: '–', spoken: 'stopped' },
  idle: { mark: '·', spoken: 'not begun' },
};

/** How a state is said. Words are written as within a sentence; `sentence` makes them the beginning of one. */
export interface StateWords {
  readonly word: string;
  readonly tone: Tone;
}

export const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
