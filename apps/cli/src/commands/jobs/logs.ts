import type { LogLine } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { parseDuration } from '@hangar/contract/quantities';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { isLocalRun, jobArgument } from '../../jobs/job-id.ts';
import { nextCommands } from '../../jobs/job-words.ts';
import { wholeNumber } from '../../terminal/numbers.ts';

interface Flags extends GlobalFlags {
  readonly follow: boolean;
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  readonly grep?: string | undefined;
  readonly stream?: LogLine['stream'] | undefined;
  readonly timestamps: boolean;
  readonly split: boolean;
  readonly exitCode: boolean;
  readonly raw: boolean;
}

export const command = defineCommand<Flags, [string?]>({
  brief: 'What a job prints, live or afterwards',
  examples: [
    ['logs --follow', 'the newest job or run of this repository, to its end'],
    ['logs j_7k2m9p4x --tail 50', 'the last 50 lines'],
    ['logs j_7k2m9p4x --grep error --timestamps', 'lines that hold a word, with times'],
    ['logs j_7k2m9p4x --raw', 'what the agent itself printed, event by event'],
  ],
  about: [
    'All lines go to stdout in their order. On a terminal lines of stderr are red and what Hangar itself says is dim and begins with »; with --split both go to stderr instead.',
    'Colours of the job are kept on a terminal and taken out on a pipe. Other control sequences never reach the terminal.',
    'Without an ID the newest of your jobs of this repository and of the runs on this machine; stderr says which.',
    'A broken connection is mended by itself and no line comes twice. Ctrl-C stops following, not the job.',
    'The exit code is 0 when the log could be read, whatever became of the job; with --exit-code it is 5 when the job did not succeed.',
  ],
  json: 'One line of JSON for each log line: {"n", "at", "stream", "text"}; stream is stdout, stderr or system; text is raw.',
  parameters: {
    flags: {
      follow: yes('Go on until the job ends'),
      tail: { kind: 'parsed', parse: wholeNumber, optional: true, brief: 'Only the last lines', placeholder: 'N' },
      since: text('Only lines since a time (RFC 3339) or of an age like 10m, 2h', 'TIME'),
      grep: text('Only lines that hold this text; case does not matter', 'TEXT'),
      stream: {
        kind: 'enum',
        values: ['stdout', 'stderr', 'system'],
        optional: true,
        brief: 'Only lines of one stream',
      },
      timestamps: yes('Begin each line with its time'),
      split: yes('Send lines of stderr and of Hangar to stderr'),
      raw: yes('The events the agent printed, a JSON object a line; when the job has ended'),
      exitCode: yes('End with 5 when the job did not succeed; with --follow also one that still runs'),
      ...globalFlags,
    },
    aliases: { f: 'follow', n: 'tail', t: 'timestamps' },
    positional: {
      kind: 'tuple',
      parameters: [{ ...jobArgument, optional: true, brief: 'The job; your newest of this repository when left out' }],
    },
  },
  async run(flags, given) {
    const { terminal } = this;
    if (flags.since !== undefined && parseDuration(flags.since) === null && Number.isNaN(Date.parse(flags.since)))
      throw new HangarError('usage', {
        message: `--since ${JSON.stringify(flags.since)} is neither a time nor an age.`,
        wayOut: 'Give it like 10m, 2h or 2026-01-31T12:00:00Z',
      });
    if (flags.raw) {
      const { showRawEvents } = await import('../../jobs/log/raw-events.ts');
      return showRawEvents(this, flags, given);
    }
    const id = given ?? (await (await import('../../jobs/newest.ts')).newestHere(this, flags.server, { ended: false }));
    if (isLocalRun(id)) return localLogs(this, flags, id);
    const api = await this.api(flags.server);
    const { tail, since, grep, stream } = flags;
    const wish = { tail, since, grep, stream };
    if (flags.follow) {
      const { follow, JOB_FAILED_EXIT_CODE, sayEnding } = await import('../../jobs/log/wait.ts');
      const job = await follow(this, api, id, wish, flags);
      sayEnding(this, job);
      terminal.next(...nextCommands(job));
      if (flags.exitCode && job.state !== 'succeeded') this.endWith(JOB_FAILED_EXIT_CODE);
      return;
    }
    const [{ readLog }, { logPrinter }] = await Promise.all([
      import('../../jobs/log/log-reader.ts'),
      import('../../jobs/log/show-log.ts'),
    ]);
    const print = logPrinter(terminal, flags);
    let shown = 0;
    for await (const lines of readLog(api, id, wish)) {
      shown += lines.length;
      await print(lines);
    }
    if (shown === 0) terminal.note('No lines.');
    if (flags.exitCode) {
      const [{ isFinal }, { JOB_FAILED_EXIT_CODE }] = await Promise.all([
        import('@hangar/contract/state-words'),
        import('../../jobs/log/wait.ts'),
      ]);
      const { state } = await api.client.jobs.get({ id });
      if (isFinal(state) && state !== 'succeeded') this.endWith(JOB_FAILED_EXIT_CODE);
    }
    if (terminal.outIsTerminal) terminal.next(`hangar status ${id}`, `hangar logs ${id} --follow`);
  },
});

/** The log of a run on this machine, from the git folder. */
async function localLogs(cli: Cli, flags: Flags, id: string): Promise<void> {
  const [{ needLocalRun }, { readAgain, localLogFile }, { readLocalLog }, { logPrinter }, words, waiting] =
    await Promise.all([
      import('../../jobs/local/lost-runs.ts'),
      import('../../jobs/local/local-runs.ts'),
      import('../../jobs/local/local-log.ts'),
      import('../../jobs/log/show-log.ts'),
      import('../../jobs/local/local-words.ts'),
      import('../../jobs/log/wait.ts'),
    ]);
  const { terminal, signal } = cli;
  const run = await needLocalRun(cli, id);
  const now = () => readAgain(run);
  const print = logPrinter(terminal, flags);
  const { tail, since, grep, stream } = flags;
  let shown = 0;
  try {
    const isRunning = async () => flags.follow && (await now()).state === 'running';
    const file = localLogFile(run);
    for await (const lines of readLocalLog(file, { tail, since, grep, stream }, { signal, isRunning })) {
      shown += lines.length;
      await print(lines);
    }
  } catch (error) {
    throw signal.aborted && flags.follow ? waiting.goesOn(id) : error;
  }
  if (shown === 0) terminal.note('No lines.');
  const ended = flags.follow ? await now() : run;
  if (flags.follow) words.sayLocalEnding(cli, ended);
  const next = words.localNext(ended).filter((line) => line !== `hangar logs ${id}`);
  if (next.length > 0) terminal.next(...next);
  if (flags.exitCode && ended.state !== 'succeeded' && ended.state !== 'running')
    cli.endWith(waiting.JOB_FAILED_EXIT_CODE);
}
