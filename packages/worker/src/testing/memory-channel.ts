import { readFileSync } from 'node:fs';
import type { Finish, Orders, Report, WorkerLine } from '@hangar/contract';
import type { Deadline, Upload, WorkerChannel } from '../server/channel.ts';

/** A channel that keeps everything in memory, as the command line does for a run without a server. */
export class MemoryChannel implements WorkerChannel {
  readonly lines: WorkerLine[] = [];
  readonly reports: Report[] = [];
  readonly uploads: (Upload & { bytes: Buffer })[] = [];
  readonly #fence = new AbortController();
  finished: Finish | null = null;
  onLine: (line: WorkerLine) => void = () => undefined;
  readonly fenced = this.#fence.signal;

  fence(): void {
    this.#fence.abort();
  }

  async log(lines: readonly WorkerLine[]): Promise<void> {
    for (const line of lines) {
      this.lines.push(line);
      this.onLine(line);
    }
  }
  async flush(): Promise<number> {
    return 1;
  }
  async report(report: Report): Promise<void> {
    this.reports.push(report);
  }
  orders({ signal }: { signal: AbortSignal }): Promise<Orders> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ cancel: false, reason: null }), { once: true });
    });
  }
  async download(_what: 'bundle' | 'patch', _file: string, _o: Deadline): Promise<void> {
    throw new Error('nothing to download');
  }
  async upload(upload: Upload, _o: Deadline): Promise<void> {
    this.uploads.push({ ...upload, bytes: readFileSync(upload.file) });
  }
  async finish(finish: Finish): Promise<void> {
    this.finished = finish;
  }

  texts(stream: WorkerLine['stream']): string[] {
    return this.lines.filter((line) => line.stream === stream).map((line) => line.text);
  }
}
