/** How a log is counted against the limit of a plan, by worker and server alike. No schema: the worker carries none. */

/**
 * What a line costs of the log of a job besides the bytes of its text: its number, time and stream as they are stored (74 bytes
 * measured at a million lines). Empty lines would be free else, and fill the disk.
 */
export const LOG_LINE_BYTES = 75;
/**
 * The server takes so much more than the worker's limit, which is the plan's: room for what the worker still says when it has
 * reached that, for the last lines it keeps, and for the server's own lines. Beyond it a worker does not keep to its limit.
 */
export const LOG_HEADROOM_BYTES = 1024 * 1024;
