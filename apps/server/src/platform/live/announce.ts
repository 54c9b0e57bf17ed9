import type { Note } from '../database/notes.ts';

/** A thing that is not as it was: the one message that viewers, and whoever waits for it, follow. */
export interface Announcement {
  /** As its capability registered it. */
  readonly noun: string;
  readonly id: string;
  /** The person whose it is; admins see everything. Null: admins alone. */
  readonly audience: string | null;
  /** Of the row that was written: a viewer who has this one or a newer one needs nothing. */
  readonly version: number;
}

export const LIVE_CHANNEL = 'hangar_live';

/** Sent in the transaction that changes the thing, it arrives with the commit. */
export const announcing = (announcement: Announcement): Note => ({
  channel: LIVE_CHANNEL,
  payload: JSON.stringify(announcement),
});
