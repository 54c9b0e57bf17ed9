import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Upload } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { formatBytes } from '@hangar/contract/words/size';
import type { Api } from '../../server/api.ts';
import type { Terminal } from '../../terminal/terminal.ts';

const UPLOAD_MS = 60 * 60_000;

/** Sends a file to POST /uploads, never holding more than a piece of it. Shows how far it is. */
export async function uploadFile(api: Api, terminal: Terminal, file: string, what: string): Promise<string> {
  const { size } = await stat(file);
  const progress = terminal.progress(`Sending ${what}`);
  try {
    const response = await api.request('/uploads', {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      timeoutMs: UPLOAD_MS,
      body: () => {
        let sent = 0;
        const source = createReadStream(file, { highWaterMark: 256 * 1024 });
        source.on('data', (chunk) => {
          sent += chunk.length;
          progress.update(`Sending ${what}: ${formatBytes(sent)} of ${formatBytes(size)}`);
        });
        return source;
      },
    });
    const answer = Upload.safeParse(await response.json().catch(() => null));
    if (!answer.success)
      throw new HangarError('server_unreachable', { message: `${api.server} did not answer the upload as expected.` });
    return answer.data.id;
  } finally {
    progress.done();
  }
}
