import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HangarError } from '@hangar/contract';
import { programsOf } from '../../../brought/programs.ts';
import { CLEAN_SCRIPT, startScript } from '../../../brought/start-script.ts';
import type { Brought } from '../../../port/brought.ts';
import { type ClusterApi, isStatus } from '../api/api.ts';
import { LABEL } from './labels.ts';

/** Where a pod finds the ConfigMap below, the Node that was brought along, its input, and its work. */
export const FILES_DIR = '/hangar/files';
export const RUNTIME_DIR = '/hangar/runtime';
export const TOKEN_DIR = '/hangar/token';
export const JOB_DIR = '/job';
/** A ConfigMap holds 1 MiB. */
const MOST_BYTES = 1_000_000;

/** What a pod runs to run the program of this name. */
export const programPath = (name: string): string => `${FILES_DIR}/${name}.boot.mjs`;

/**
 * A program is packed, because the worker is near the size a ConfigMap may have. It is unpacked to a file and not only to memory:
 * git runs the worker again as its credential helper.
 */
const bootSource = (name: string): string => `
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
const file = '${RUNTIME_DIR}/${name}.mjs';
writeFileSync(file, gunzipSync(readFileSync('${FILES_DIR}/${name}.mjs.gz')));
await import(file);
`;

/** Runs in the init container, in an image with Node: takes Node and the libraries that slim images lack to the other image. */
const INSTALL_SCRIPT = `#!/bin/sh
set -e
node=$(command -v node) || { echo "hangar: the worker image has no node" >&2; exit 94; }
mkdir -p ${RUNTIME_DIR}/lib
cp -L "$node" ${RUNTIME_DIR}/node.part
for folder in /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu /usr/lib64 /lib64 /usr/lib; do
  for library in libstdc++.so.6 libgcc_s.so.1; do
    if [ -e "$folder/$library" ] && [ ! -e "${RUNTIME_DIR}/lib/$library" ]; then cp -L "$folder/$library" ${RUNTIME_DIR}/lib/; fi
  done
done
chmod 755 ${RUNTIME_DIR}/node.part
mv ${RUNTIME_DIR}/node.part ${RUNTIME_DIR}/node
`;

/** What every pod mounts that runs what was brought: programs and scripts. One immutable ConfigMap a namespace, named by its content. */
export interface PodFiles {
  /** Makes sure that it is there; asks only once, and again after `again`. Gives its name. */
  ensure(api: ClusterApi, namespace: string, o: { signal: AbortSignal; again?: boolean }): Promise<string>;
  /** Its name; nothing is asked. */
  name(): Promise<string>;
}

export function createPodFiles(brought: Pick<Brought, 'programs' | 'instanceId'>): PodFiles {
  let built: Promise<{ name: string; data: Record<string, string>; binaryData: Record<string, string> }> | null = null;
  const known = new WeakMap<ClusterApi, Map<string, Promise<void>>>();

  const content = () => {
    built ??= build(brought).catch((error: unknown) => {
      built = null;
      throw error;
    });
    return built;
  };

  async function make(api: ClusterApi, namespace: string, signal: AbortSignal): Promise<void> {
    const { name, data, binaryData } = await content();
    const body = {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', immutable: true, data, binaryData },
      metadata: {
        name,
        namespace,
        labels: { ...LABEL.managed, [LABEL.instance]: brought.instanceId, [LABEL.files]: name },
      },
    };
    try {
      await api.json('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body, signal });
    } catch (error) {
      if (!isStatus(error, 409)) throw error;
    }
  }

  return {
    name: async () => (await content()).name,
    async ensure(api, namespace, o) {
      const of = known.get(api) ?? new Map<string, Promise<void>>();
      known.set(api, of);
      if (o.again) of.delete(namespace);
      // Shared by all that wait, so it does not end with the first of them.
      const made = of.get(namespace) ?? make(api, namespace, AbortSignal.timeout(60_000));
      of.set(namespace, made);
      made.catch(() => of.delete(namespace));
      await made;
      o.signal.throwIfAborted();
      return (await content()).name;
    },
  };
}

async function build(brought: Pick<Brought, 'programs'>) {
  const data: Record<string, string> = {
    start: startScript({ clean: `${FILES_DIR}/clean.cjs`, runtime: RUNTIME_DIR, host: 'image' }),
    ...{ 'clean.cjs': CLEAN_SCRIPT, install: INSTALL_SCRIPT },
  };
  const binaryData: Record<string, string> = {};
  const hash = createHash('sha256');
  let bytes = 0;
  for (const [name, from] of Object.entries(programsOf(brought))) {
    data[`${name}.boot.mjs`] = bootSource(name);
    const packed = await promisify(gzip)('text' in from ? from.text : await readFile(from.file), { level: 9 });
    binaryData[`${name}.mjs.gz`] = packed.toString('base64');
    bytes += packed.length;
    hash.update(`${name}\0${packed.length}\0`).update(packed);
  }
  if (bytes > MOST_BYTES) {
    throw new HangarError('internal', {
      message: `What is brought to pods has ${bytes} bytes packed: too many for a ConfigMap.`,
    });
  }
  hash.update(JSON.stringify(data));
  return { name: `hangar-files-${hash.digest('hex').slice(0, 16)}`, data, binaryData };
}
