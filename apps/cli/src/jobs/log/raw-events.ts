import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { AGENT_EVENTS, isFinal } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { JobState } from '@hangar/contract/state-words';
import { JOB_WORDS } from '@hangar/contract/words/job';
import type { Cli } from '../../cli.ts';
import { clean } from '../../terminal/ansi.ts';
import { isLocalRun } from '../job-id.ts';
import { newestHere } from '../newest.ts';

interface Flags {
  readonly server?: string | undefined;
  readonly follow: boolean;
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  readonly grep?: string | undefined;
  readonly stream?: string | undefined;
}

/**
 * Prints the events an agent printed, as they were.
 * @throws HangarError usage, artifact_not_found with the reason: the job still runs, or its agent prints none
 */
export async function showRawEvents(cli: Cli, flags: Flags, given: string | undefined): Promise<void> {
  const { follow, tail, since, grep, stream } = flags;
  if (follow || [tail, since, grep, stream].some((filter) => filter !== undefined))
    throw new HangarError('usage', {
      message: '--raw prints all events, and only when the job has ended.',
      wayOut: 'Leave out --follow and the filters; filter with: hangar logs ID --raw | jq',
    });
  const id = given ?? (await newestHere(cli, flags.server, { ended: false }));
  if (isLocalRun(id)) return print(cli, await localEvents(cli, id));
  const api = await cli.api(flags.server);
  const { items } = await api.client.jobs.artifacts({ id });
  if (!items.some(({ name }) => name === AGENT_EVENTS)) {
    const job = await api.client.jobs.get({ id });
    throw isFinal(job.state) ? none(id) : later(id, job.state);
  }
  const response = await api.request(`/jobs/${id}/artifacts/${AGENT_EVENTS}`);
  await print(cli, Readable.from(response.body ?? []));
}

async function localEvents(cli: Cli, id: string): Promise<Readable> {
  const [{ localArtifact }, { needLocalRun }] = await Promise.all([
    import('../local/local-runs.ts'),
    import('../local/lost-runs.ts'),
  ]);
  const run = await needLocalRun(cli, id);
  const file = localArtifact(run, AGENT_EVENTS);
  if ((await stat(file).catch(() => null)) === null) throw run.state === 'running' ? later(id, run.state) : none(id);
  return createReadStream(file);
}

async function print({ terminal }: Cli, body: Readable): Promise<void> {
  if (!terminal.outIsTerminal) {
    for await (const chunk of body) await terminal.write(chunk as Uint8Array);
    return;
  }
  // What was no event may hold anything.
  for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY }))
    await terminal.write(`${clean(line, false)}\n`);
}

const later = (id: string, state: JobState): HangarError =>
  new HangarError('artifact_not_found', {
    message: `${id} is ${JOB_WORDS[state].word}: its raw events come when it ends.`,
    wayOut: `See its steps now: hangar logs ${id} --follow`,
  });

const none = (id: string): HangarError =>
  new HangarError('artifact_not_found', {
    message: `${id} has no raw events: its agent did not run, or prints plain text.`,
    wayOut: `Read its log: hangar logs ${id}`,
  });
