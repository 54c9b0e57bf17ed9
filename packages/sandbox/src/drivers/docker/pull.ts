import { z } from 'zod';
import type { Engine } from './engine.ts';
import { EngineError } from './engine.ts';
import { asPullError } from './errors.ts';

const PULL_DEADLINE_MS = 30 * 60_000;
const SAY_EVERY_MS = 1000;
const LONGEST_LINE = 1024 * 1024;

const Progress = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

/** Pulls an image and tells how far it is, at most once a second. @throws HangarError image_not_found, driver_unavailable, disk_full */
export async function pullImage(
  engine: Engine,
  image: string,
  o: { signal: AbortSignal; say: (reason: string) => void },
): Promise<void> {
  o.say(`Pulling image ${image}`);
  const layers = new Map<string, { current: number; total: number }>();
  let said = performance.now();
  try {
    // A reference without tag or digest would pull every tag there is.
    const isExact = image.includes('@') || /:[^/]+$/.test(image);
    const query = { fromImage: image, ...(isExact ? {} : { tag: 'latest' }) };
    const call = { query, signal: o.signal, deadlineMs: PULL_DEADLINE_MS };
    for await (const line of linesOf(await engine.stream('POST', '/images/create', call))) {
      const parsed = Progress.safeParse(parse(line));
      if (!parsed.success) continue;
      const { id, error, status, progressDetail } = parsed.data;
      if (error !== undefined) throw asPullError(error, image);
      if (id && progressDetail?.total && status === 'Downloading') {
        layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
      } else if (id && (status === 'Download complete' || status === 'Pull complete')) {
        const layer = layers.get(id);
        if (layer) layers.set(id, { ...layer, current: layer.total });
      }
      if (layers.size > 0 && performance.now() - said >= SAY_EVERY_MS) {
        said = performance.now();
        o.say(`Pulling image ${image} (${howFar([...layers.values()])})`);
      }
    }
  } catch (error) {
    if (error instanceof EngineError) throw asPullError(error.message, image);
    throw error;
  }
}

function howFar(layers: { current: number; total: number }[]): string {
  const megabytes = (pick: 'current' | 'total') =>
    Math.round(layers.reduce((sum, layer) => sum + layer[pick], 0) / 1_000_000);
  return `${megabytes('current')} of ${megabytes('total')} MB`;
}

async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    // One message is short; what is not one is not worth the memory.
    rest = (lines.pop() ?? '').slice(-LONGEST_LINE);
    yield* lines;
  }
  yield rest;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
