import type { Usage } from '@hangar/contract';

/** What one event of an agent says. */
export interface Heard {
  /** For people; may hold line ends. */
  readonly lines: readonly string[];
  /** What the agent has used so far, by its own count. */
  readonly usage?: Usage;
  /** The model did not accept the key. */
  readonly refused?: true;
}

/** Reads the events of one run of an agent, in order. Made from recorded output of the real programs; see the tests. */
export interface EventFormat {
  /** Null for an event it does not know. */
  read(event: Json): Heard | null;
  /** What is left to say when the output has ended. */
  end(): readonly string[];
}

export type Json = { readonly [name: string]: unknown };

export const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
export const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
/** A count of tokens or turns; 0 when it is none. */
export const count = (value: unknown): number => Math.min(Math.round(number(value) ?? 0), Number.MAX_SAFE_INTEGER);
