import type { Sandbox } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { isClosed } from '@hangar/contract/state-words';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, texts, yes } from '../../command.ts';
import { jobArgument, parseJobId, refuseLocalRun } from '../../jobs/job-id.ts';
import { positiveNumber, seconds, sizeInBytes } from '../../terminal/numbers.ts';
import { profileArgument } from '../profiles/profile-argument.ts';

interface Flags extends GlobalFlags {
  readonly job?: string | undefined;
  readonly on?: string | undefined;
  readonly name?: string | undefined;
  readonly image?: string | undefined;
  readonly cpus?: number | undefined;
  readonly memory?: number | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
  readonly idle?: number | undefined;
  readonly lifetime?: number | undefined;
  readonly noWait: boolean;
  readonly idempotencyKey?: string | undefined;
}

export const command = defineCommand<Flags>({
  brief: 'Open a sandbox: a machine to run commands in',
  examples: [
    ['sandbox open', 'on the default profile; prints the id once it runs'],
    ['sandbox open --on docker --image node:24 --idle 2h --name try-it', 'with an image, and a name to know it by'],
    ['sandbox open --job j_7k2m9p4x', 'with the files of a job as it left them: to see why it failed'],
    ['sandbox open --json | jq -r .id', 'for scripts'],
  ],
  about: [
    'It is closed by itself when nobody has used it for --idle, and after --lifetime whatever it does; its machine goes with it.',
    'With --job it has the files of that job: what the job began with, and what its agent changed, not committed. Commands begin there, with the environment of the job; profile, image and resources are those of the job unless you say others. hangar sandbox diff shows what is changed, hangar pull ID brings it here.',
    'Until it runs, stderr says what it waits for. Ctrl-C stops the waiting, not the opening.',
    'Variables of --env and --env-file are there for all that is executed in it, and are stored encrypted.',
  ],
  json: 'The sandbox as it runs, as GET /drivers/sessions/{id} shows it (.id, .state, …); with --no-wait as it was accepted.',
  parameters: {
    flags: {
      job: {
        ...{ kind: 'parsed', parse: parseServerJob, optional: true, placeholder: 'ID' },
        brief: 'Lay out the files of this job as it left them',
        proposeCompletions: jobArgument.proposeCompletions,
      },
      on: {
        ...text('Profile to open it on; that of --job, or the default one, when left out', 'PROFILE'),
        proposeCompletions: profileArgument.proposeCompletions,
      },
      name: text('A name to know it by', 'NAME'),
      image: text('Container image, on profiles that use one', 'IMAGE'),
      cpus: { kind: 'parsed', parse: positiveNumber, optional: true, brief: 'CPU cores', placeholder: 'N' },
      memory: { kind: 'parsed', parse: sizeInBytes, optional: true, brief: 'Memory, like 2g', placeholder: 'SIZE' },
      env: texts('Variable for all in it; NAME alone takes the value from here', 'NAME[=VALUE]'),
      envFile: texts('File of such variables, as .env; --env wins', 'FILE'),
      idle: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'Closed when unused for so long, like 30m; 1h when left out',
        placeholder: 'TIME',
      },
      lifetime: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'Closed after so long in any case, like 3d; 24h when left out',
        placeholder: 'TIME',
      },
      noWait: yes('Do not wait until it runs'),
      idempotencyKey: text('The same key again gives the same sandbox', 'KEY'),
      ...globalFlags,
    },
    aliases: { e: 'env' },
  },
  async run(flags) {
    await check(flags);
    const [{ readJobEnv }, api] = await Promise.all([import('../../jobs/send/job-env.ts'), this.api(flags.server)]);
    const env = await readJobEnv(this, flags);
    const accepted = await api.client.sandboxes
      .open({
        env,
        resources: {
          ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
          ...(flags.memory === undefined ? {} : { memoryBytes: flags.memory }),
        },
        ...(flags.job === undefined ? {} : { job: flags.job }),
        ...(flags.on === undefined ? {} : { profile: flags.on }),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.image === undefined ? {} : { image: flags.image }),
        ...(flags.idle === undefined ? {} : { idleSeconds: flags.idle }),
        ...(flags.lifetime === undefined ? {} : { lifetimeSeconds: flags.lifetime }),
        ...(flags.idempotencyKey === undefined ? {} : { idempotencyKey: flags.idempotencyKey }),
      })
      .catch((error: unknown) => {
        throw this.signal.aborted ? mayBeOpen() : error;
      });
    if (flags.noWait) return opened(this, flags, accepted);
    const { refuseClosed, waitUntil } = await import('../../sandboxes/wait.ts');
    const sandbox = await waitUntil(this, api, accepted, {
      is: ({ state }) => state === 'running' || isClosed(state),
      doing: 'opening',
      wayOut: `Close it: hangar sandbox close ${accepted.id}`,
    });
    refuseClosed(sandbox);
    opened(this, flags, sandbox);
  },
});

/** @throws HangarError usage */
function parseServerJob(given: string): string {
  const id = parseJobId(given);
  refuseLocalRun(id, 'Its files are in this checkout: hangar pull --local');
  return id;
}

/** Before anything is sent. Schemas are loaded only where there is something to hold against them. */
async function check(flags: Flags): Promise<void> {
  const { on, name, image, cpus, memory, idle, lifetime, idempotencyKey } = flags;
  if ([on, name, image, cpus, memory, idle, lifetime, idempotencyKey].every((value) => value === undefined)) return;
  const [{ NewSandbox, Resources }, { checkOptions }, { sizeInWords }] = await Promise.all([
    import('@hangar/contract'),
    import('../../terminal/check-options.ts'),
    import('@hangar/contract/words/size'),
  ]);
  const { shape } = NewSandbox;
  checkOptions('sandbox open', [
    { flag: '--on', value: on, schema: shape.profile },
    { flag: '--name', value: name, schema: shape.name },
    { flag: '--image', value: image, schema: shape.image },
    { flag: '--cpus', value: cpus, schema: Resources.shape.cpus },
    { flag: '--memory', value: memory, schema: Resources.shape.memoryBytes, shown: sizeInWords },
    { flag: '--idle', value: idle, schema: shape.idleSeconds, shown: formatSeconds },
    { flag: '--lifetime', value: lifetime, schema: shape.lifetimeSeconds, shown: formatSeconds },
    { flag: '--idempotency-key', value: idempotencyKey, schema: shape.idempotencyKey },
  ]);
}

/** The id is the data: a script takes it from stdout, people read the rest on stderr. */
function opened({ terminal }: Cli, flags: Flags, sandbox: Sandbox): void {
  if (flags.json) terminal.json(sandbox);
  else terminal.out(sandbox.id);
  const { idleSeconds, lifetimeSeconds, profile, job, tree } = sandbox;
  if (job !== null && tree !== null)
    terminal.note(`The files of ${job}${tree.partial ? ', as they were saved last,' : ''} are in ${tree.path}.`);
  terminal.note(
    `On ${profile}; closed when unused for ${formatSeconds(idleSeconds)}, or after ${formatSeconds(lifetimeSeconds)}.`,
  );
  const diff = job === null ? [] : [`hangar sandbox diff ${sandbox.id} --stat`];
  terminal.next(`hangar sandbox exec ${sandbox.id} -- COMMAND`, ...diff, `hangar sandbox close ${sandbox.id}`);
}

const mayBeOpen = (): HangarError =>
  new HangarError('interrupted', {
    message: 'Stopped before the server had answered.',
    wayOut: 'See whether it was opened: hangar sandbox list',
  });
