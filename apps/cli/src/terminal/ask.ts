import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../cli.ts';
import type { GlobalFlags } from '../command.ts';

/** Everything on standard input, at most so many bytes. */
export async function readAll(stdin: Cli['stdin'], limit: number, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const stop = () => {
    (stdin as NodeJS.ReadableStream & { destroy?: () => void }).destroy?.();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      size += bytes.length;
      if (size > limit)
        throw new HangarError('body_too_large', { message: `Standard input is larger than ${limit} bytes.` });
      chunks.push(bytes);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * A secret from a hidden prompt, or from standard input when that is not a terminal. Never from an argument: others can read those.
 * @throws HangarError input_required, interrupted
 */
export async function askSecret(cli: Cli, flags: GlobalFlags, question: string, limit: number): Promise<string> {
  if (!cli.stdin.isTTY) {
    const given = (await readAll(cli.stdin, limit, cli.signal)).replace(/\r?\n$/, '');
    if (given !== '') return given;
    throw new HangarError('input_required', { message: `${question}: standard input is empty.` });
  }
  if (flags.noInput) throw new HangarError('input_required', { message: `${question}: this needs an answer.` });
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({ message: question, output: process.stderr, mask: '•' });
  if (isCancel(answer)) throw new HangarError('interrupted', { message: 'Stopped.', wayOut: 'Nothing was changed.' });
  if (typeof answer !== 'string' || answer === '')
    throw new HangarError('input_required', { message: `${question}: nothing was given.` });
  return answer;
}

/** A yes or no before something that cannot be had back; without a terminal the caller has to say --yes. */
export async function confirm(
  cli: Cli,
  flags: GlobalFlags & { readonly yes: boolean },
  question: string,
): Promise<void> {
  if (flags.yes) return;
  if (flags.noInput || !cli.stdin.isTTY || !cli.terminal.errIsTerminal)
    throw new HangarError('input_required', { message: question, wayOut: 'Say --yes to go on without being asked.' });
  const prompts = await import('@clack/prompts');
  const answer = await prompts.confirm({ message: question, initialValue: false, output: process.stderr });
  if (answer !== true) throw new HangarError('interrupted', { message: 'Stopped.', wayOut: 'Nothing was changed.' });
}
