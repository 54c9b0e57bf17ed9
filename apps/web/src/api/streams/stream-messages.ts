import type { StreamEvent } from '@hangar/client/frame';

/**
 * How a stream goes on for who comes later or again.
 * `log`: after the last id. `state`: each frame is the whole of what its event tells. `changes`: not at all, what was missed is asked
 * for elsewhere.
 */
export type StreamMode = 'log' | 'state' | 'changes';

export interface Wanted {
  /** Of the tab. */
  readonly id: number;
  readonly url: string;
  readonly mode: StreamMode;
  /** Id of the last frame that is here. */
  readonly after: string | null;
}

/** What a server answered in place of a stream; null when nothing came. */
export interface Refusal {
  readonly status: number;
  readonly body: unknown;
}

/** What a tab says. */
export type TabMessage =
  /** Everything the tab wants from now on. Said again and again, as a sign of life. */
  | { readonly type: 'want'; readonly person: string; readonly wants: readonly Wanted[] }
  /** Who has just been found to be signed in; null: nobody any more. */
  | { readonly type: 'person'; readonly person: string | null }
  | { readonly type: 'network'; readonly online: boolean }
  | { readonly type: 'retry' }
  | { readonly type: 'leave' };

/** What a tab is told. */
export type HubMessage =
  | { readonly type: 'here' }
  /** Somebody else is signed in, or nobody: what the tab shows is no longer theirs to see. */
  | { readonly type: 'over' }
  | { readonly type: 'open'; readonly id: number }
  | { readonly type: 'frames'; readonly id: number; readonly frames: readonly StreamEvent[] }
  | { readonly type: 'lost'; readonly id: number; readonly heardAt: number | null; readonly refusal: Refusal | null }
  | { readonly type: 'failed'; readonly id: number; readonly refusal: Refusal };
