/** The one vocabulary of states, for all nouns. Each noun's `status.ts` maps its states to a tone, a word and a next step. */
export type Tone = 'waiting' | 'working' | 'good' | 'needs' | 'bad' | 'ended';

export const toneColor = (tone: Tone): string => `var(--hg-${tone})`;
