import type { Note } from '../database/listener.ts';
/** A thing that is not as it was: the one message that viewers, and whoever waits for it, follow. */
export interface Announcement {
  /** As its capability registered it. */
  readonly noun: string;
  readonly id: string;
  /** The person whose it is; admins see everything. Null: admins alone. */
  readonly audience: string | null;
}

/** Channel and fields are those of the release before: during an upgrade its servers are on the same database. */
export const LIVE_CHANNEL = 'hangar_event';

/** Sent in the transaction that changes the thing, it arrives with the commit. */
export const announcing = ({ noun, id, audience }: Announcement): Note => ({
  channel: LIVE_CHANNEL,
  payload: JSON.stringify({ type: noun, id, userId: audience }),
});

export function announcementOf(payload: string): Announcement {
  const { type, id, userId } = JSON.parse(payload) as {
    readonly type: string;
    readonly id: string;
    readonly userId: string | null;
  };
  return { noun: type, id, audience: userId };
}
