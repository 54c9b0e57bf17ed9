import { setTimeout as sleep } from 'node:timers/promises';
import { isFinal, type Job } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { groupWords } from '@hangar/contract/words/group';
import { JOB_WORDS } from '@hangar/contract/words/job';
import { plural } from '@hangar/contract/words/number';
import { formatSeconds } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import type { GlobalFlags } from '../../command.ts';
import type { Api } from '../../server/api.ts';
import { AWAY_MS, throughBreaks } from '../../server/through-breaks.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut } from '../../terminal/words.ts';
import { JOB_FAILED_EXIT_CODE } from '../log/wait.ts';
import type { Copy } from '../send/copies.ts';
import type { SentJobs } from '../send/send-job.ts';
import { jobTable, pullCommands } from './compare-table.ts';

/** The most jobs that are set side by side. */
export const MAX_COMPARED = 20;

/**
 * Says what was sent as a group, and how to go on.
 * @throws HangarError the refusal that ended it half-way, with what was sent and what was not
 */
export function sayGroup(
  { terminal }: Cli,
  flags: GlobalFlags & { readonly wait: boolean },
  { group, copies, sent, refused }: SentJobs & { readonly group: string; readonly copies: readonly Copy[] },
): void {
  if (refused !== null) {
    const notSent = copies.slice(sent.length).map(({ agent }) => agent ?? sent[0]?.agent ?? 'shell');
    if (!flags.json) for (const line of jobTable(sent, terminal)) terminal.out(line);
    throw new HangarError(refused.code, {
      message: `${plural(sent.length, 'job')} of ${copies.length} sent as ${group}, ${notSent.length} not: ${refused.message}`,
      wayOut: refused.wayOut,
      details: {
        ...refused.details,
        reason: `Not sent: ${tally(notSent)}. The others run: hangar compare --group ${group}`,
        group,
        sent: sent.map(({ id }) => id),
        notSent,
      },
    });
  }
  if (flags.json && !flags.wait) {
    terminal.json({ group, items: sent });
    return;
  }
  if (!flags.wait) for (const line of jobTable(sent, terminal)) terminal.out(line);
  terminal.note(`Sent ${plural(sent.length, 'job')} as ${group}.`);
  if (flags.wait) return;
  terminal.next(`hangar compare --group ${group}`, `hangar jobs --group ${group}`);
}

function tally(agents: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const agent of agents) counts.set(agent, (counts.get(agent) ?? 0) + 1);
  return [...counts].map(([agent, n]) => `${cut(agent, 40)}${n === 1 ? '' : ` (${n} times)`}`).join(', ');
}

/** Waits until all have ended; each is said as it ends. The exit code is 5 unless all succeeded. */
export async function waitForGroup(
  cli: Cli,
  api: Api,
  flags: GlobalFlags,
  { group, jobs }: { readonly group: string; readonly jobs: readonly Job[] },
): Promise<void> {
  const { terminal, signal } = cli;
  const said = new Set<string>();
  let now = jobs;
  const progress = terminal.progress(`0 of ${jobs.length} ended`);
  try {
    for (let pauseMs = 500; ; pauseMs = Math.min(3000, pauseMs * 1.3)) {
      const seen = await throughBreaks({ terminal, signal, patienceMs: AWAY_MS }, () => ofGroup(api, group));
      now = jobs.map(({ id }) => seen.find((job) => job.id === id)).filter((job) => job !== undefined);
      for (const job of now) {
        if (!isFinal(job.state) || said.has(job.id)) continue;
        said.add(job.id);
        const why = job.failure?.message ?? '';
        terminal.note(
          `${job.id} ${cut(job.agent, 20)}: ${stateText(JOB_WORDS[job.state], terminal.errColor)} after ${formatSeconds(job.elapsedSeconds)}${why === '' ? '' : `: ${why}`}`,
        );
      }
      if (said.size >= now.length) break;
      progress.update(`${said.size} of ${now.length} ended`);
      await sleep(pauseMs, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HangarError('interrupted', {
      message: 'Stopped waiting. The jobs go on.',
      wayOut: `Look at them with: hangar compare --group ${group}`,
    });
  } finally {
    progress.done();
  }
  if (now.some(({ state }) => state !== 'succeeded')) cli.endWith(JOB_FAILED_EXIT_CODE);
  if (flags.json) return terminal.json({ group, items: now });
  for (const line of jobTable(now, terminal)) terminal.out(line);
  terminal.note(`${groupWords(now)}.`);
  terminal.next(`hangar compare --group ${group}`, ...pullCommands(now));
}

/** The jobs of a group, as they were sent. @throws HangarError job_not_found */
export async function ofGroup(api: Api, group: string): Promise<Job[]> {
  const { items } = await api.client.jobs.list({ group, limit: 200 });
  if (items.length === 0)
    throw new HangarError('job_not_found', {
      message: `You have no jobs of a group ${group}.`,
      wayOut: 'Send some: hangar run --cloud --times 3 --spec SPEC.md, or see: hangar jobs',
    });
  return items.reverse();
}
