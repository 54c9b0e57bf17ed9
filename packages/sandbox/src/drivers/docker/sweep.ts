import { z } from 'zod';
import type { SweepReport, UnitKey } from '../../port/unit.ts';
import { isStatus } from './errors.ts';
import { type DockerParts, LABEL } from './runtime.ts';

/** A helper of a fill or a test that is younger may be at work; clocks of two machines may differ. */
const HELPER_AGE_S = 600;

const Containers = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    Labels: z.record(z.string(), z.string()),
    Created: z.number(),
  }),
);
const Volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullable() });

/** Units nobody owns, helpers of a server that died, and runtime volumes of older versions that nothing uses. */
export async function sweepEngine(
  { engine, runtime, brought, launching }: DockerParts,
  removeContainer: (name: string, signal: AbortSignal) => Promise<void>,
  isOwned: (key: UnitKey) => Promise<boolean>,
  signal: AbortSignal,
): Promise<SweepReport> {
  const filters = JSON.stringify({ label: [`${LABEL.instance}=${brought.instanceId}`] });
  const found = Containers.parse(
    await engine.json('GET', '/containers/json', { query: { all: '1', filters }, signal, deadlineMs: 60_000 }),
  );
  const removed: string[] = [];
  let kept = 0;
  for (const container of found) {
    signal.throwIfAborted();
    const name = container.Names[0]?.replace(/^\//, '') ?? container.Id;
    const id = container.Labels[LABEL.id];
    const attempt = Number(container.Labels[LABEL.attempt]);
    const keep =
      id === undefined || !Number.isInteger(attempt)
        ? Math.abs(Date.now() / 1000 - container.Created) < HELPER_AGE_S
        : launching.has(name) || (await isOwned({ id, attempt }));
    if (keep) {
      kept += 1;
      continue;
    }
    await removeContainer(container.Id, signal);
    removed.push(`container ${name}`);
  }
  const { arch } = await engine.info({ signal });
  const current = await runtime.volumeFor(arch);
  const volumes = Volumes.parse(await engine.json('GET', '/volumes', { query: { filters }, signal }));
  for (const { Name: name } of volumes.Volumes ?? []) {
    if (name === current) continue;
    try {
      await engine.json('DELETE', `/volumes/${encodeURIComponent(name)}`, { signal });
      removed.push(`volume ${name}`);
    } catch (error) {
      if (!isStatus(error, 404, 409)) throw error;
    }
  }
  return { removed, kept };
}
