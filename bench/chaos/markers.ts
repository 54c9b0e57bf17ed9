import { createServer } from 'node:http';

export interface Mark {
  readonly kind: string;
  readonly jobId: string;
  readonly pid: string;
  /** Milliseconds of this process's clock. */
  readonly at: number;
}

/** What agents tell somebody outside of Hangar: the proof of how often each of them ran. */
export interface Markers {
  readonly port: number;
  of(tag: string, kind: 'begin' | 'end'): readonly Mark[];
  close(): Promise<void>;
}

export async function openMarkers(): Promise<Markers> {
  const marks = new Map<string, Mark[]>();
  const server = createServer((request, response) => {
    const [, kind = '', tag = '', jobId = '', pid = ''] = (request.url ?? '').split('/');
    marks.set(tag, [...(marks.get(tag) ?? []), { kind, jobId, pid, at: performance.now() }]);
    response.end('ok\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    of: (tag, kind) => (marks.get(tag) ?? []).filter((mark) => mark.kind === kind),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
