import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import type { FileAt } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { pathQuery } from '@hangar/contract/path-bytes';
import type { Api } from '../../server/api.ts';

/** A transfer may take long; the answer comes at its end. */
const TRANSFER_MS = 24 * 60 * 60_000;
const HOPS_MOST = 20;

/** A path in a sandbox; "" is the home folder of its account. */
export interface RemotePath {
  readonly sandbox: string;
  readonly path: string;
}

export interface Sent {
  /** Made anew for each try. */
  readonly body: () => Readable;
  /** It cannot be read twice. */
  readonly once?: boolean;
  readonly mode?: number;
}

/** The routes of files, as a command uses them. */
export function remoteFiles(api: Api) {
  const query = ({ sandbox, path }: RemotePath, more: Record<string, string> = {}) =>
    `?${new URLSearchParams({ sandbox, ...(path === '' ? {} : pathQuery(path)), ...more })}`;
  const put = async (route: string, type: string, { body, once = false }: Sent): Promise<void> => {
    const headers = { 'content-type': type };
    const answer = await api.request(route, { method: 'PUT', headers, timeoutMs: TRANSFER_MS, body, once });
    answer.discard();
  };
  const stat = async ({ sandbox, path }: RemotePath): Promise<FileAt | null> => {
    try {
      return await api.client.files.stat({ sandbox, ...(path === '' ? {} : pathQuery(path)) });
    } catch (error) {
      if (error instanceof HangarError && error.code === 'file_not_found') return null;
      throw error;
    }
  };

  return {
    /** What is there, links followed; null when nothing is. */
    async find(at: RemotePath): Promise<FileAt | null> {
      let found = await stat(at);
      for (let hops = 0; found?.type === 'link' && found.target !== null && hops < HOPS_MOST; hops++) {
        const path = found.target.startsWith('/')
          ? found.target
          : `${posix.dirname(found.path.replace(/\/+$/, ''))}/${found.target}`;
        found = await stat({ ...at, path });
      }
      return found;
    },
    async read(at: RemotePath): Promise<AsyncIterable<Uint8Array>> {
      return (await api.request(`/drivers/files/content${query(at, { download: 'true' })}`)).body;
    },
    write: (at: RemotePath, sent: Sent) =>
      put(
        `/drivers/files/content${query(at, sent.mode === undefined ? {} : { mode: sent.mode.toString(8).padStart(3, '0') })}`,
        'application/octet-stream',
        sent,
      ),
    async download(at: RemotePath): Promise<AsyncIterable<Uint8Array>> {
      return (await api.request(`/drivers/files/tar${query(at)}`)).body;
    },
    upload: (at: RemotePath, sent: Sent) => put(`/drivers/files/tar${query(at)}`, 'application/octet-stream', sent),
  };
}
