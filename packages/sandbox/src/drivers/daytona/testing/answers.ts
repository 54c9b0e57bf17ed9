/** What a route of the fake says. */
export interface Answer {
  readonly status: number;
  /** As JSON. */
  readonly body?: unknown;
  readonly raw?: { readonly type: string; readonly bytes: Buffer };
  readonly headers?: Record<string, string>;
}

/** An error in the words of Daytona's services. */
export const refuse = (statusCode: number, message: string, code?: string, source = 'DAYTONA_DAEMON'): Answer => ({
  status: statusCode,
  body: {
    ...{ statusCode, message, source, path: '', timestamp: new Date().toISOString() },
    ...(code === undefined ? {} : { code }),
  },
});
