/** One frame of a text/event-stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  /** Of this frame, or of the last one before it that had one. */
  readonly id: string | null;
}

/** What a frame carries; undefined where it is no JSON. */
export function jsonOf({ data }: StreamEvent): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
