import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MAX_SPEC_BYTES, parseSpec, type Spec } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';
import { readAll } from '../../terminal/ask.ts';

/**
 * The spec from a file, or from standard input when there is no file or it is `-`. Checked before anything is sent.
 * @throws HangarError input_required, spec_empty, spec_too_large, spec_front_matter, usage
 */
export async function readSpec(cli: Cli, file: string | undefined): Promise<{ text: string; spec: Spec }> {
  const text =
    file === undefined || file === '-' ? await fromStdin(cli) : await fromFile(resolve(cli.settings.cwd, file), file);
  return { text, spec: parseSpec(text) };
}

async function fromStdin(cli: Cli): Promise<string> {
  if (cli.stdin.isTTY)
    throw new HangarError('input_required', {
      message: 'There is no spec: what should be done?',
      wayOut: 'Name a file: --spec SPEC.md, or send it in: hangar run --cloud --spec - < SPEC.md',
    });
  const text = await readAll(cli.stdin, MAX_SPEC_BYTES + 1, cli.signal).catch((error: unknown) => {
    if (error instanceof HangarError && error.code === 'body_too_large') throw new HangarError('spec_too_large');
    throw error;
  });
  if (text.trim() === '')
    throw new HangarError('spec_empty', {
      message: 'Standard input is empty, so there is no spec.',
      wayOut: 'Name a file: --spec SPEC.md, or send it in: hangar run --cloud --spec - < SPEC.md',
    });
  return text;
}

async function fromFile(path: string, shown: string): Promise<string> {
  try {
    if ((await stat(path)).size > MAX_SPEC_BYTES) throw new HangarError('spec_too_large');
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof HangarError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new HangarError('usage', {
      message: `The spec ${shown} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : (error as Error).message}.`,
      wayOut: 'Check the path after --spec.',
    });
  }
}
