import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Env, EnvName } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import type { Cli } from '../../cli.ts';

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const NAME = /^(?:export[ \t]+)?([^\s=#'"]+)[ \t]*(?:=|$)/;
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

interface EnvFlags {
  readonly env?: readonly string[] | undefined;
  readonly envFile?: readonly string[] | undefined;
}

/**
 * The environment of a job or sandbox: from the files, in their order, then from --env. No value is ever part of an error.
 * @throws HangarError env_invalid, usage
 */
export async function readJobEnv({ settings }: Cli, flags: EnvFlags): Promise<Record<string, string>> {
  const values = new Map<string, string>();
  for (const file of flags.envFile ?? []) {
    const text = await readText(resolve(settings.cwd, file), file);
    for (const [name, value] of parseEnvFile(text, file, settings.env)) values.set(name, value);
  }
  for (const entry of flags.env ?? []) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    values.set(name, checkedValue(name, at < 0 ? settings.env[name] : entry.slice(at + 1), '', `--env ${name}=VALUE`));
  }
  return Object.fromEntries(values);
}

/**
 * Lines of NAME=VALUE as in a .env file: `export` before it, # comments, '…' as it is, "…" with \n, \t, \" and more than one line.
 * NAME alone takes the value from here. Nothing is expanded.
 * @throws HangarError env_invalid with file and line
 */
export function parseEnvFile(
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): [name: string, value: string][] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll(/\r\n?/g, '\n')
    .split('\n');
  const found: [string, string][] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = (lines[at] ?? '').trim();
    const where = `${file}, line ${at + 1}: `;
    if (line === '' || line.startsWith('#')) continue;
    const [head, name] = NAME.exec(line) ?? [];
    if (head === undefined || name === undefined)
      throw new HangarError('env_invalid', {
        message: `${where}this is not NAME=VALUE.`,
        wayOut: 'Write a variable a line, as in: NAME=VALUE. Lines that begin with # are comments.',
      });
    if (!head.endsWith('=')) {
      found.push([name, checkedValue(name, env[name], where, `${name}=VALUE`)]);
      continue;
    }
    const rest = line.slice(head.length).trimStart();
    const quote = /^["'`]/.exec(rest)?.[0];
    if (quote === undefined) {
      found.push([name, checkedValue(name, rest.replace(/(^|\s+)#.*$/, ''), where, '')]);
      continue;
    }
    // What stands in quotes may go on over lines, whose own spaces count.
    const begun = (lines[at] ?? '').trimStart();
    let quoted = begun.slice(begun.indexOf(quote, head.length) + 1);
    const first = where;
    while (endOf(quoted, quote) < 0) {
      if (++at >= lines.length)
        throw new HangarError('env_invalid', {
          message: `${first}the value of ${name} begins with ${quote} and has no second one.`,
          wayOut: 'Close the quotes, or leave them out.',
        });
      quoted += `\n${lines[at]}`;
    }
    const end = endOf(quoted, quote);
    if (!/^\s*(#.*)?$/.test(quoted.slice(end + 1)))
      throw new HangarError('env_invalid', {
        message: `${file}, line ${at + 1}: something follows the closing ${quote} of ${name}.`,
        wayOut: 'Put all of the value between the quotes.',
      });
    const inside = quoted.slice(0, end);
    const value =
      quote === '"' ? inside.replaceAll(/\\([nrt"\\$])/g, (_, sign: string) => ESCAPED[sign] ?? sign) : inside;
    found.push([name, checkedValue(name, value, first, '')]);
  }
  return found;
}

/** Where a quoted value ends; -1 when not in this text. Only double quotes know an escaped one. */
function endOf(text: string, quote: string): number {
  for (let at = 0; at < text.length; at++) {
    if (quote === '"' && text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  return -1;
}

/** @throws HangarError env_invalid */
function checkedValue(name: string, value: string | undefined, where: string, example: string): string {
  const parsed = EnvName.safeParse(name);
  if (!parsed.success)
    throw new HangarError('env_invalid', {
      message: `${where}${JSON.stringify(name.slice(0, 100))} cannot be a variable here.`,
      wayOut: `Choose another name: ${parsed.error.issues[0]?.message}.`,
    });
  if (value === undefined)
    throw new HangarError('env_invalid', {
      message: `${where}${name} is not set here.`,
      wayOut: `Set it, or give the value: ${example}`,
    });
  if (value.includes('\0') || !Env.safeParse({ [name]: value }).success)
    throw new HangarError('env_invalid', {
      message: `${where}the value of ${name} ${value.includes('\0') ? 'holds a NUL character' : 'is longer than 64 KiB'}.`,
      wayOut: 'Put large material into a file: of the repository, of the image, or one that is sent.',
    });
  return value;
}

async function readText(path: string, shown: string): Promise<string> {
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES)
      throw new HangarError('usage', {
        message: `${shown} is too large for a file of variables.`,
        wayOut: 'Check --env-file.',
      });
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof HangarError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new HangarError('usage', {
      message: `The file of variables ${shown} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message}.`,
      wayOut: 'Check the path after --env-file.',
    });
  }
}
