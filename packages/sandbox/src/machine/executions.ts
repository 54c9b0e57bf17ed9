import { HangarError } from '@hangar/contract';
import type { CallOptions } from '../port/call.ts';
import type { Answer, AskOptions } from './ask.ts';
import { settle } from './execution-answers.ts';
import { CANCEL, END_INPUT, END_LEFTOVER, FOLLOW, FORGET, LIST, RESIZE, RUNS_AS, WRITE } from './execution-scripts.ts';
import { type Break, readFollowed, startOf } from './follow.ts';
import { openInput } from './input.ts';
import { checkId, launchOf, resultOf } from './spec.ts';
import { SUPERVISE } from './supervise-script.ts';
import { nonce, type Talk } from './talk.ts';
import type { ExecutionInfo, ExecutionSpec, Executions, Offsets, Output, Result } from './types.ts';

/** Longest piece of output in one frame, and the most on one channel: SDKs of text machines keep all that they ever received. */
const TEXT = { piece: 96 * 1024, most: 16 * 1024 * 1024 };
const BINARY = { piece: 1024 * 1024, most: 2 ** 50 };
const MOST_INPUT = 1024 * 1024;

export function createExecutions(talk: Talk): Executions {
  const { capabilities } = talk.machine;
  const isText = capabilities.stdio === 'text';
  /** Account by id, of those that are not the machine's own; the machine knows it too. */
  const accounts = new Map<string, string>();

  async function* follow(
    id: string,
    spec: ExecutionSpec | null,
    from: Offsets,
    o: CallOptions,
  ): AsyncGenerator<Output> {
    let launch = spec === null ? null : launchOf(spec, capabilities);
    const at = startOf(from);
    let user = spec?.user ?? accounts.get(id) ?? null;
    if (spec !== null && spec.user !== null) await runsAs(id, spec.user, o);
    for (let started = false; ; ) {
      const facts = await talk.facts(o, user);
      if (spec !== null && spec.terminal !== null && !facts.script)
        throw new HangarError('unsupported', {
          message: 'The machine has no terminals: script is missing.',
          wayOut: 'Install script of util-linux in it (bsdutils, util-linux-script), or leave the terminal out.',
        });
      const mark = nonce();
      const size = isText ? TEXT : BINARY;
      const tails = facts.followsPid && capabilities.stderr && !isText;
      const terminal = spec?.terminal ?? null;
      const words = [mark, isText ? '1' : '0', facts.folder, checkId(id), at.stdout, at.stderr, size.piece, size.most];
      words.push(facts.nap, facts.skipsBytes ? '1' : '0', tails ? '1' : '0');
      if (launch !== null && spec !== null) {
        const seconds = (ms: number) => (facts.nap === '1' ? Math.ceil(ms / 1000) : ms / 1000);
        words.push(nonce(), launch.run.length, launch.run.length + launch.script.length, SUPERVISE);
        words.push(spec.stdin !== 'open' && terminal === null ? 'none' : facts.followsPid ? 'tail' : 'poll');
        words.push(terminal === null ? '-' : `${terminal.columns}x${terminal.rows}`);
        words.push(spec.timeoutMs === null ? '-' : seconds(spec.timeoutMs), Math.ceil(spec.graceMs / 10));
      } else words.push('');
      const input = launch === null ? {} : { input: Buffer.concat([launch.run, launch.script]) };
      const channel = await talk.open(FOLLOW, words.map(String), { ...o, user, ...input, deadlineMs: null });
      if (!tails) channel.stderr.on('error', () => undefined).resume();
      let broken: Break | null;
      try {
        const reading = readFollowed(channel, mark, isText, at);
        for (;;) {
          const next = await reading.next();
          if (next.done) {
            broken = next.value;
            break;
          }
          const tellsStart = next.value.type === 'started';
          if (!(tellsStart && started)) yield next.value;
          started ||= tellsStart;
        }
      } catch (error) {
        const lost = !(error instanceof HangarError) || error.code === 'connection_lost';
        throw o.signal.aborted || lost ? await talk.brokenBy(channel, o.signal) : error;
      } finally {
        channel.close();
      }
      if (broken === null) return;
      if (broken.kind === 'none' || (broken.kind === 'as' && broken.user === user))
        throw new HangarError('execution_not_found');
      if (broken.kind === 'as') {
        user = broken.user;
        accounts.set(id, user);
      }
      launch = null;
    }
  }

  async function runsAs(id: string, user: string, o: CallOptions): Promise<void> {
    if (!capabilities.user)
      throw new HangarError('unsupported', { message: 'This machine runs nothing as another account.' });
    const { folder } = await talk.facts(o);
    settle(await talk.ask(RUNS_AS, [folder, checkId(id), user], o));
    accounts.set(id, user);
  }

  /** Asks where the execution is: its spool belongs to the account it runs as. */
  async function ask(id: string, script: string, args: readonly (string | number)[], o: AskOptions): Promise<Answer> {
    for (let user = accounts.get(id) ?? null; ; ) {
      const { folder } = await talk.facts(o, user);
      const answer = await talk.ask(script, [folder, checkId(id), ...args.map(String)], { ...o, user });
      if (answer.code !== 30) return settle(answer);
      const next = answer.output.toString().trim();
      if (next === '' || next === user) throw new HangarError('execution_not_found');
      user = next;
      accounts.set(id, user);
    }
  }

  return {
    run: (spec, from, o) => follow(spec.id, spec, from, o),
    attach: (id, from, o) => follow(id, null, from, o),
    async write(id, at, bytes, o) {
      if (bytes.length > MOST_INPUT)
        throw new HangarError('body_too_large', { message: 'At most 1 MiB of input is written at once.' });
      const { output } = await ask(id, WRITE, [nonce(), at, bytes.length], { ...o, input: bytes });
      return Number(output.toString().trim());
    },
    async endInput(id, size, o) {
      await ask(id, END_INPUT, [nonce(), size, (await talk.facts(o)).nap], o);
    },
    input: (id, writer, o) => openInput({ talk, accounts, ask }, id, writer, o),
    async resize(id, size, o) {
      await ask(id, RESIZE, [size.columns, size.rows], o);
    },
    async redraw(id, o) {
      await ask(id, RESIZE, [''], o);
    },
    async cancel(id, { graceMs, signal }, o) {
      const args = [nonce(), signal.replace('SIG', ''), Math.ceil(graceMs / 10), (await talk.facts(o)).nap];
      const { output } = await ask(id, CANCEL, args, { ...o, deadlineMs: graceMs + 60_000 });
      return known(output.toString());
    },
    async endLeftover(id, o) {
      const facts = await talk.facts(o, accounts.get(id) ?? null);
      const script = [facts.folder, checkId(id), facts.nap];
      settle(await talk.ask(END_LEFTOVER, script, { ...o, user: accounts.get(id) ?? null }));
    },
    async list(o) {
      const own = await listOf(null, o);
      const others = [...new Set(own.flatMap((line) => (line[1] === 'as' ? [line.slice(2).join(' ')] : [])))];
      const all = [...own, ...(await Promise.all(others.map((user) => listOf(user, o)))).flat()];
      return all.flatMap((line) => infoOf(line) ?? []);
    },
    async forget(id, o) {
      const user = accounts.get(id) ?? null;
      await ask(id, FORGET, [], o);
      const other = accounts.get(id) ?? user;
      accounts.delete(id);
      // What points to it lies in the folder of the machine's own account.
      if (other !== null) await talk.ask('rm -f "$1/$2.as"', [(await talk.facts(o)).folder, id], o);
    },
  };

  async function listOf(user: string | null, o: CallOptions): Promise<string[][]> {
    const { folder } = await talk.facts(o, user);
    const { output } = settle(await talk.ask(LIST, [folder], { ...o, user }));
    return output
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' '));
  }
}

function infoOf([id = '', pid, stdout, stderr, ...exit]: readonly string[]): ExecutionInfo | null {
  if (pid === 'as' || !/^[a-z0-9_]{1,60}$/.test(id)) return null;
  const bytes = { stdout: Number(stdout), stderr: Number(stderr) };
  return { id, pid: Number(pid) > 0 ? Number(pid) : null, result: resultOf(exit.join(' ')), bytes };
}

function known(line: string): Result {
  const result = resultOf(line);
  if (result === null)
    throw new HangarError('connection_lost', { message: 'The machine does not say how the execution ended.' });
  return result;
}
