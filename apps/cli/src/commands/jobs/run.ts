import type { Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import { defineCommand, globalFlags, text, texts, yes } from '../../command.ts';
import type { RunFlags } from '../../jobs/send/run-options.ts';
import { parseSandboxId, proposeSandboxes } from '../../sandboxes/sandbox-id.ts';
import { positiveNumber, seconds, sizeInBytes, wholeNumber } from '../../terminal/numbers.ts';
import { profileArgument } from '../profiles/profile-argument.ts';

export const command = defineCommand<RunFlags>({
  brief: 'Send a repository and a spec to an agent, or run it here',
  examples: [
    ['run --cloud --spec add-search.md', 'send it, print the id, done'],
    ['run --cloud --agent claude --env ANTHROPIC_API_KEY --wait < fix.md', 'follow it to its end'],
    ['run --cloud --agents claude,codex --times 2 --spec fix.md', 'four jobs of one spec, to choose from'],
    ['run --in s_1a2b3c4d5e --spec fix.md --wait', 'in a sandbox that is open, with all that is in it'],
    ['run --spec add-search.md', 'run it on this machine, without a server'],
  ],
  about: [
    'In a git checkout repository and commit are found by themselves. What the remote does not have (commits that are not pushed, changed and new files) travels along; ignored files stay. No credential is needed for that: where the remote does not answer without one, and no --credential is named, the whole history travels, else only what the remote lacks. --bundle sends the whole history in any case. Changes inside submodules, repositories inside the checkout and files that cannot be read stay behind and are named.',
    'Without --cloud the same worker runs here on a copy of the checkout; your files are not touched. The diff is kept for hangar pull, or applied at once with --apply.',
    'With --in the agent works in an open sandbox of yours, on the server like with --cloud: in a folder of its own, with the machine, image, resources and environment of the sandbox, whatever the spec says of them. The sandbox is in use until the job ends; to close it ends the job.',
    'A spec is Markdown. Agent shell runs its ```sh blocks. Front matter between lines of --- can set title, agent, image, timeout, env and resources; options win.',
    'A file for --env-file holds lines of NAME=VALUE: # begins a comment, quotes may stand around a value ("…" also over several lines, with \\n and \\"), NAME alone takes the value from here, and nothing is expanded.',
    '--times and --agents send the same spec over the same base several times, each agent so often, as one group: set them side by side with hangar compare, take one with hangar pull.',
    'Ctrl-C while waiting stops the waiting, not the job in the cloud; a run on this machine is cancelled and its partial diff kept.',
  ],
  json: 'The job, as GET /jobs/{id} shows it (.id, .state, …); with --wait the job as it ended, and the log on stderr. With --times or --agents: {"group", "items": [job, …]}; where a quota ends it half-way, the error with details.sent and details.notSent. Without --cloud: {"id", "title", "state", "exitCode", "reason", "failure", "diff", "diffFile", "commit", "startedAt", "finishedAt"}; with --apply also "applied", and when the run succeeded what else hangar pull --json prints; "commit" is the one it began with.',
  parameters: {
    flags: {
      cloud: yes('Run on the server instead of here'),
      spec: text('File with the spec; - or nothing reads standard input', 'FILE'),
      repo: text('Repository: a URL, or a folder with a checkout', 'URL'),
      ref: text('Branch, tag or commit on the remote, instead of what is checked out', 'REF'),
      agent: text('A preset (see hangar agents) or any command in quotes', 'NAME'),
      agents: texts('A job for each of these: names with commas between, or one command in quotes', 'NAMES'),
      times: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'So many jobs of each agent',
        placeholder: 'N',
      },
      group: text('Name of the group; made from the title when left out', 'NAME'),
      on: {
        ...text('Profile to run on; the default one when left out', 'PROFILE'),
        proposeCompletions: profileArgument.proposeCompletions,
      },
      in: {
        ...{ kind: 'parsed', optional: true, parse: parseSandboxId, proposeCompletions: proposeSandboxes },
        ...{ brief: 'Open sandbox to work in, in place of a profile', placeholder: 'SANDBOX' },
      },
      credential: {
        ...text('Git credential for a private repository', 'NAME'),
        proposeCompletions: proposeCredentials,
      },
      env: texts('Variable for the agent; NAME alone takes the value from here', 'NAME[=VALUE]'),
      envFile: texts('File of such variables, as .env; --env wins', 'FILE'),
      timeout: {
        kind: 'parsed',
        parse: seconds,
        optional: true,
        brief: 'Longest run time of the agent, like 15m or 2h; from 5s to 30d',
        placeholder: 'TIME',
      },
      image: text('Container image, on profiles that use one', 'IMAGE'),
      cpus: { kind: 'parsed', parse: positiveNumber, optional: true, brief: 'CPU cores', placeholder: 'N' },
      memory: { kind: 'parsed', parse: sizeInBytes, optional: true, brief: 'Memory, like 2g', placeholder: 'SIZE' },
      title: text('Title; the first heading of the spec when left out', 'TEXT'),
      bundle: yes('Send the checkout with its whole history; the worker needs no remote'),
      wait: yes('Follow the log to the end; exit code 5 when the job did not succeed'),
      apply: yes('Without --cloud: apply the diff when the run succeeded'),
      idempotencyKey: text('The same key again gives the same job', 'KEY'),
      ...globalFlags,
    },
    aliases: { s: 'spec', e: 'env', w: 'wait' },
  },
  async run(flags) {
    const [{ checkRunOptions, isOnServer }, { readJobEnv }, { readSpec }, { sendJobs }] = await Promise.all([
      import('../../jobs/send/run-options.ts'),
      import('../../jobs/send/job-env.ts'),
      import('../../jobs/send/read-spec.ts'),
      import('../../jobs/send/send-job.ts'),
    ]);
    checkRunOptions(flags);
    const env = await readJobEnv(this, flags);
    const { text: spec, spec: parsed } = await readSpec(this, flags.spec);
    if (!isOnServer(flags)) {
      const only = (['agents', 'times', 'group'] as const).find((name) => flags[name] !== undefined);
      if (only !== undefined)
        throw new HangarError('usage', {
          message: `--${only} is for jobs on a server.`,
          wayOut: 'Add --cloud, or leave it out.',
        });
      const { runHere } = await import('../../jobs/local/run-here.ts');
      return runHere(this, flags, { text: spec, spec: parsed }, env);
    }
    if (flags.apply)
      throw new HangarError('usage', {
        message: '--apply is for runs on this machine.',
        wayOut: 'Use --wait, then hangar pull.',
      });
    const { copiesOf } = await import('../../jobs/send/copies.ts');
    const { copies, group, isGroup } = copiesOf(flags, parsed);
    const api = await this.api(flags.server);
    const wish = {
      spec,
      env,
      resources: {
        ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
        ...(flags.memory === undefined ? {} : { memoryBytes: flags.memory }),
      },
      ...(flags.title === undefined ? {} : { title: flags.title }),
      ...(flags.on === undefined ? {} : { profile: flags.on }),
      ...(flags.in === undefined ? {} : { sandbox: flags.in }),
      ...(flags.credential === undefined ? {} : { credential: flags.credential }),
      ...(flags.image === undefined ? {} : { image: flags.image }),
      ...(flags.timeout === undefined ? {} : { timeoutSeconds: flags.timeout }),
      ...(group === undefined ? {} : { group }),
    };
    const wishes = copies.map(({ agent, idempotencyKey }) => ({
      ...wish,
      idempotencyKey,
      ...(agent === undefined ? {} : { agent }),
    }));
    const outcome = await sendJobs(this, api, wishes, { repo: flags.repo, ref: flags.ref, bundle: flags.bundle });
    if (isGroup && group !== undefined) {
      const { sayGroup, waitForGroup } = await import('../../jobs/compare/group.ts');
      sayGroup(this, flags, { group, copies, ...outcome });
      return flags.wait ? waitForGroup(this, api, flags, { group, jobs: outcome.sent }) : undefined;
    }
    const [job] = outcome.sent;
    if (job === undefined) throw outcome.refused ?? new HangarError('internal');
    if (!flags.wait) return sent(this, flags, job);
    const { follow, JOB_FAILED_EXIT_CODE, sayEnding } = await import('../../jobs/log/wait.ts');
    const { placeWords } = await import('@hangar/contract/words/job');
    this.terminal.note(`${job.id}: ${job.title}, ${job.agent} ${placeWords(job)}.`);
    const ended = await follow(
      this,
      api,
      job.id,
      {},
      { json: false, timestamps: false, split: false, aside: flags.json },
    );
    sayEnding(this, ended);
    if (flags.json) this.terminal.json(ended);
    const { nextCommands } = await import('../../jobs/job-words.ts');
    this.terminal.next(...nextCommands(ended));
    if (ended.state !== 'succeeded') this.endWith(JOB_FAILED_EXIT_CODE);
  },
});

/** The id is the data: a script takes it from stdout, people read the rest on stderr. */
async function sent({ terminal }: Cli, flags: RunFlags, job: Job): Promise<void> {
  if (flags.json) return terminal.json(job);
  const [{ travelWords }, { JOB_WORDS, placeWords }, { stateAndReason }] = await Promise.all([
    import('../../jobs/send/send-job.ts'),
    import('@hangar/contract/words/job'),
    import('../../terminal/tones.ts'),
  ]);
  terminal.out(job.id);
  terminal.note(`${job.title}: ${job.agent} ${placeWords(job)}, ${travelWords(job)}.`);
  terminal.note(stateAndReason(JOB_WORDS[job.state], job.reason, terminal.errColor));
  terminal.next(`hangar logs ${job.id} --follow`, `hangar status ${job.id}`, `hangar pull ${job.id}`);
}

async function proposeCredentials(this: Cli): Promise<readonly string[]> {
  try {
    return (await (await this.api(undefined)).client.credentials.list({})).items.map(({ name }) => name);
  } catch {
    return [];
  }
}
