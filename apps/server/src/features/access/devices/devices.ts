import { type Device, type DeviceRequest, HangarError } from '@hangar/contract';
import type { Tx } from '../../../platform/database/index.ts';
import { limited } from '../people/people.ts';
import { networkOf, type RateLimit } from '../sessions/rate-limits.ts';
import { type DeviceRequestRow, devicesStore } from './devices-store.ts';
import { hashUserCode } from './token-issuer.ts';

/** What a person in the browser sees of programs that are signed in, or want to be. */
export interface Devices {
  /** @throws HangarError device_not_found, rate_limited */
  lookAt(personId: string, userCode: string, place: string): Promise<DeviceRequest>;
  /** Decides once; asked again it tells what was decided. @throws HangarError device_not_found, rate_limited */
  decide(personId: string, userCode: string, approve: boolean, place: string): Promise<DeviceRequest>;
  list(personId: string): Promise<Device[]>;
  /** @throws HangarError device_not_found */
  remove(personId: string, id: string): Promise<void>;
  removeAll(personId: string): Promise<void>;
}

export function createDevices(o: { db: Tx; clock: () => Date; limits: { userCode: RateLimit } }): Devices {
  const { clock } = o;
  const store = devicesStore(o.db);

  /** Every code counts as a guess until it turns out to be right (RFC 8628 §5.1). */
  async function found(personId: string, userCode: string, place: string): Promise<DeviceRequestRow> {
    const keys = [`person ${personId}`, `place ${networkOf(place)}`];
    for (const key of keys) limited(await o.limits.userCode.take(key));
    const hash = hashUserCode(userCode);
    const row = hash === null ? null : await store.findRequest(hash);
    if (!row || (row.decidedBy !== null && row.decidedBy !== personId)) throw new HangarError('device_not_found');
    for (const key of keys) await o.limits.userCode.giveBack(key);
    return row;
  }

  return {
    lookAt: async (personId, userCode, place) =>
      toDeviceRequest(await found(personId, userCode, place), userCode, clock()),
    async decide(personId, userCode, approve, place) {
      const row = await found(personId, userCode, place);
      const now = clock();
      const decided = await store.decide(
        row.userCodeHash,
        { status: approve ? 'approved' : 'denied', decidedBy: personId },
        now,
      );
      return toDeviceRequest(decided ?? (await found(personId, userCode, place)), userCode, now);
    },
    async list(personId) {
      return (await store.list(personId, clock())).map((row) => ({
        id: row.id,
        client: row.client,
        createdAt: row.createdAt.toISOString(),
        lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
        expiresAt: row.expiresAt.toISOString(),
      }));
    },
    async remove(personId, id) {
      if (!(await store.revokeOf(personId, id, clock()))) {
        throw new HangarError('device_not_found', {
          message: 'There is no such program signed in as you.',
          wayOut: 'See the list of devices in Settings.',
        });
      }
    },
    removeAll: (personId) => store.revokeAll(personId, clock()),
  };
}

function toDeviceRequest(row: DeviceRequestRow, typed: string, now: Date): DeviceRequest {
  const code = typed.toUpperCase().replace(/[^A-Z]/g, '');
  return {
    userCode: `${code.slice(0, 4)}-${code.slice(4)}`,
    client: row.client,
    place: row.place,
    userAgent: row.userAgent,
    requestedAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    status: row.expiresAt <= now ? 'expired' : row.status,
  };
}
