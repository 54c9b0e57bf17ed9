import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HangarError } from '@hangar/contract/errors';
import { formatBytes } from '@hangar/contract/words/size';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';

interface Flags extends GlobalFlags {
  readonly output?: string | undefined;
  readonly force: boolean;
}

export const command = defineCommand<Flags, [string, string]>({
  brief: 'Download an artifact',
  examples: [
    ['artifacts download j_7k2m9p4x report.html', 'into this folder, under its own name'],
    ['artifacts download j_7k2m9p4x diff --output - | less', 'to stdout'],
  ],
  json: '{"name", "file", "sizeBytes", "sha256"}',
  parameters: {
    flags: {
      output: text('Where to write it; - is stdout', 'FILE'),
      force: yes('Replace a file that is there'),
      ...globalFlags,
    },
    aliases: { o: 'output' },
    positional: {
      kind: 'tuple',
      parameters: [
        { ...jobArgument, brief: 'The job' },
        { parse: String, placeholder: 'NAME', brief: 'Name of the artifact, as the list shows it' },
      ],
    },
  },
  async run(flags, id, name) {
    const { terminal, settings, signal } = this;
    const found = await (isLocalRun(id) ? ofLocalRun(this, id, name) : ofJob(this, flags.server, id, name));
    const body = await found.open();
    if (flags.output === '-') {
      for await (const chunk of body) await terminal.write(chunk as Uint8Array);
      return;
    }
    // The name was chosen by the job: only its last part, and never a place outside this folder.
    const own = basename(name).replace(/^\.+/, '') || 'artifact';
    const file = flags.output === undefined ? join(settings.cwd, own) : resolve(settings.cwd, flags.output);
    const part = `${file}.part`;
    const hash = createHash('sha256');
    const progress = terminal.progress(`Downloading ${name} (${formatBytes(found.sizeBytes)})`);
    try {
      body.on('data', (chunk: Uint8Array) => hash.update(chunk));
      await pipeline(body, createWriteStream(part, { flags: flags.force ? 'w' : 'wx' }), { signal });
      const sha256 = hash.digest('hex');
      if (sha256 !== found.sha256)
        throw new HangarError('server_unreachable', {
          message: `${name} did not arrive as it was stored.`,
          wayOut: 'Download it again.',
        });
      const { link } = await import('node:fs/promises');
      if (flags.force) await rename(part, file);
      else await link(part, file);
      if (flags.json) return terminal.json({ name, file, sizeBytes: found.sizeBytes, sha256 });
      terminal.out(file);
      terminal.next(`hangar artifacts list ${id}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new HangarError('usage', {
          message: `${file} is there already.`,
          wayOut: 'Choose another place with --output, or replace it with --force.',
        });
      throw error;
    } finally {
      progress.done();
      await rm(part, { force: true });
    }
  },
});

interface Found {
  readonly sizeBytes: number;
  readonly sha256: string;
  open(): Promise<Readable>;
}

async function ofJob(cli: Cli, server: string | undefined, id: string, name: string): Promise<Found> {
  const { client, request } = await cli.api(server);
  const { items } = await client.jobs.artifacts({ id });
  const found = items.find((item) => item.name === name) ?? missing(id, name);
  const path = `/jobs/${id}/artifacts/${encodeURIComponent(name)}`;
  return { ...found, open: async () => Readable.from((await request(path)).body) };
}

async function ofLocalRun(cli: Cli, id: string, name: string): Promise<Found> {
  const [{ needLocalRun }, { localArtifacts }] = await Promise.all([
    import('../../jobs/local/lost-runs.ts'),
    import('../../jobs/local/local-artifacts.ts'),
  ]);
  const run = await needLocalRun(cli, id);
  const found = (await localArtifacts(run)).find((item) => item.name === name) ?? missing(id, name);
  return { ...found, open: async () => createReadStream(found.file) };
}

function missing(id: string, name: string): never {
  throw new HangarError('artifact_not_found', {
    message: `${id} has no artifact ${JSON.stringify(name)}.`,
    wayOut: `See what it has: hangar artifacts list ${id}`,
  });
}
