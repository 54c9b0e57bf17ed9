import { HangarError } from '@hangar/contract';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { SandboxRow } from '../store/sandboxes-tables.ts';
import { createLoadLive } from './load-live.ts';

const LOAD = { cpus: 0.5, cpusMost: 2, memoryBytes: 1, memoryMost: 4, diskBytes: null, diskMost: null };
const ID = 's_7k2m9p4x';

/** A sandbox whose machine counts how often it is looked at. */
function machine() {
  const state = { row: { state: 'running', readyAt: new Date(), reason: '' }, probes: 0, away: false };
  const live = createLoadLive({
    rowOf: async () => state.row as SandboxRow,
    machineOf: async () => ({
      async load() {
        state.probes += 1;
        if (state.away) throw new HangarError('connection_lost');
        return { at: new Date(), ...LOAD };
      },
    }),
    ...{ log: pino({ level: 'silent' }), everyMs: 5 },
  });
  return { state, live };
}

function viewer() {
  const seen: string[] = [];
  let ended = false;
  return {
    ...{ write: (frame: string) => void seen.push(frame), seen, isEnded: () => ended },
    end() {
      ended = true;
    },
  };
}

it('one probe serves all who look, and nobody is probed while nobody looks', async () => {
  const { state, live } = machine();
  const [first, second] = [viewer(), viewer()];
  const leaveFirst = live.join(ID, first);
  const leaveSecond = live.join(ID, second);
  await expect.poll(() => second.seen.length, { timeout: 20_000 }).toBeGreaterThan(3);
  leaveFirst();
  await expect.poll(() => second.seen.length, { timeout: 20_000 }).toBeGreaterThan(6);
  leaveSecond();
  // Every frame was of one probe, whoever saw it.
  expect(second.seen.length).toBeLessThanOrEqual(state.probes);
  expect(state.probes).toBeLessThanOrEqual(second.seen.length + 1);
  expect(first.seen).toEqual(second.seen.slice(0, first.seen.length));
  const before = state.probes;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(state.probes).toBe(before);
});

it('a machine out of reach is told of and asked again; the stream ends with the sandbox', async () => {
  const { state, live } = machine();
  state.away = true;
  const eye = viewer();
  live.join(ID, eye);
  await expect
    .poll(() => eye.seen.at(-1), { timeout: 20_000 })
    .toMatch(/^event: away\ndata: {"code":"connection_lost"/);
  state.away = false;
  await expect.poll(() => eye.seen.at(-1), { timeout: 20_000 }).toMatch(/^event: load\n/);
  const late = viewer();
  live.join(ID, late);
  expect(late.seen).toHaveLength(1);
  state.row = { ...state.row, state: 'closed' };
  await expect.poll(() => eye.isEnded() && late.isEnded(), { timeout: 20_000 }).toBe(true);
  expect(eye.seen.at(-1)).toMatch(/^event: end\n/);
});
