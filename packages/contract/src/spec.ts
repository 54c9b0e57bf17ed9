/** A spec: Markdown, optionally with YAML front matter. */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { HangarError } from './errors.ts';
import { Env, ImageRef, MAX_SPEC_BYTES, Resources, TimeoutSeconds } from './jobs.ts';
import { parseBytes, parseDuration } from './text/quantities.ts';

/** Far more than anybody writes there. Its parser takes the square of the number of keys. */
const MAX_FRONT_MATTER = 128 * 1024;
const MAX_ENTRIES = 5000;
/** Titles are cut at 100 characters anyway. */
const LONGEST_HEADING = 2000;

const Duration = z.union([z.number(), z.string()]).transform((value, context) => {
  const seconds = typeof value === 'number' ? value : parseDuration(value);
  const parsed = TimeoutSeconds.safeParse(seconds);
  if (parsed.success) return parsed.data;
  context.addIssue({ code: 'custom', message: 'A time like 90s, 15m or 2h, from 5 s to 30 d' });
  return z.NEVER;
});
const Size = z.union([z.number(), z.string()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseBytes(value);
  if (bytes !== null && Number.isInteger(bytes)) return bytes;
  context.addIssue({ code: 'custom', message: 'A size like 512m or 2g' });
  return z.NEVER;
});

const FrontMatter = z.strictObject({
  title: z.string().trim().min(1).max(200).optional(),
  agent: z.string().min(1).max(4000).optional(),
  image: ImageRef.optional(),
  timeout: Duration.optional(),
  env: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .pipe(Env)
    .optional(),
  resources: z
    .strictObject({ cpus: z.number().optional(), memory: Size.optional(), pids: z.number().int().optional() })
    .transform(
      ({ cpus, memory, pids }): z.input<typeof Resources> => ({
        ...(cpus === undefined ? {} : { cpus }),
        ...(memory === undefined ? {} : { memoryBytes: memory }),
        ...(pids === undefined ? {} : { pids }),
      }),
    )
    .pipe(Resources)
    .optional(),
});
export type FrontMatter = z.infer<typeof FrontMatter>;

export interface Spec {
  readonly settings: FrontMatter;
  /** The Markdown after the front matter: what the agent is given. */
  readonly body: string;
  readonly title: string;
}

/**
 * Takes a spec apart and checks it.
 * @throws HangarError spec_empty, spec_too_large, spec_front_matter (details.issues: field and message)
 */
export function parseSpec(text: string): Spec {
  if (new TextEncoder().encode(text).length > MAX_SPEC_BYTES) throw new HangarError('spec_too_large');
  const plain = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  if (plain.trim() === '') throw new HangarError('spec_empty');
  const opened = /^---[ \t]*\n/.exec(plain);
  if (!opened) return { settings: {}, body: plain, title: titleOf(plain) };
  const rest = plain.slice(opened[0].length);
  const closed = /^(---|\.\.\.)[ \t]*$/m.exec(rest);
  if (!closed)
    throw new HangarError('spec_front_matter', { message: 'The front matter of the spec has no closing line of ---.' });
  const body = rest.slice(closed.index + closed[0].length).replace(/^\n+/, '');
  const settings = readFrontMatter(rest.slice(0, closed.index));
  if (body.trim() === '') throw new HangarError('spec_empty', { message: 'The spec has front matter but no text.' });
  return { settings, body, title: settings.title ?? titleOf(body) };
}

function readFrontMatter(yaml: string): FrontMatter {
  // Every entry has one of these to it.
  if (yaml.length > MAX_FRONT_MATTER || (yaml.match(/[:,?[{]|^\s*-/gm)?.length ?? 0) > MAX_ENTRIES)
    throw new HangarError('spec_front_matter', { message: 'The front matter of the spec is too large.' });
  const document = parseDocument(yaml, { prettyErrors: true, uniqueKeys: true });
  const broken = document.errors[0];
  if (broken)
    throw new HangarError('spec_front_matter', {
      message: `The front matter of the spec is not YAML: ${broken.message.split('\n')[0]}`,
    });
  const parsed = FrontMatter.safeParse(plainOf(document) ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.') || 'front matter',
    message: issue.message,
  }));
  throw new HangarError('spec_front_matter', {
    message: `The front matter of the spec is not right: ${issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ')}`,
    details: { issues },
  });
}

/** Aliases that multiply are an error of their own kind in the parser. */
function plainOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    throw new HangarError('spec_front_matter', {
      message: 'The front matter of the spec has too many aliases.',
      cause,
    });
  }
}

/** The first heading, else the first line that says something, cut at 100 characters. */
function titleOf(body: string): string {
  const lines = body.split('\n');
  const heading = lines.map(headingOf).find((text) => text !== '');
  const line =
    heading ?? lines.find((candidate) => candidate.trim() !== '' && !candidate.startsWith('```')) ?? 'Untitled';
  const title = line.trim();
  return title.length > 100 ? `${title.slice(0, 99)}…` : title;
}

/** The words of a Markdown heading; empty for any other line. */
function headingOf(line: string): string {
  const words = /^#{1,6}[ \t]+(\S.*)$/.exec(line.slice(0, LONGEST_HEADING))?.[1] ?? '';
  let end = words.length;
  while (end > 1 && ' \t#'.includes(words.charAt(end - 1))) end--;
  return words.slice(0, end);
}
