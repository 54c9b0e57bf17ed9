import { and, desc, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import type { Tx } from '../../../platform/database/index.ts';
import { device, deviceRequest, person, refreshToken } from '../access-tables.ts';
import type { PersonRow } from '../people/people-store.ts';

export type DeviceRow = typeof device.$inferSelect;
export type DeviceRequestRow = typeof deviceRequest.$inferSelect;
export type RefreshTokenRow = typeof refreshToken.$inferSelect;

export interface DevicesStore {
  /** Whether there is a device code or a refresh token with this hash. */
  knows(hash: string): Promise<boolean>;
  /** False when the user code is taken. */
  addRequest(row: typeof deviceRequest.$inferInsert): Promise<boolean>;
  /** In a transaction nobody else redeems or decides it until that ends. */
  lockRequest(deviceCodeHash: string): Promise<DeviceRequestRow | null>;
  findRequest(userCodeHash: string): Promise<DeviceRequestRow | null>;
  /** Decides a request that still waits; null when it does not. */
  decide(
    userCodeHash: string,
    decision: { status: 'approved' | 'denied'; decidedBy: string },
    now: Date,
  ): Promise<DeviceRequestRow | null>;
  polled(deviceCodeHash: string, at: Date, intervalSeconds: number): Promise<void>;
  removeRequest(deviceCodeHash: string): Promise<void>;
  removeRequestsBefore(time: Date): Promise<void>;

  addDevice(row: DeviceRow): Promise<void>;
  find(id: string): Promise<{ device: DeviceRow; person: PersonRow } | null>;
  list(personId: string, now: Date): Promise<DeviceRow[]>;
  used(id: string, at: Date, expiresAt?: Date): Promise<void>;
  revoke(id: string, now: Date): Promise<void>;
  /** False when the person has no such device. */
  revokeOf(personId: string, id: string, now: Date): Promise<boolean>;
  revokeAll(personId: string, now: Date): Promise<void>;

  addToken(row: typeof refreshToken.$inferInsert): Promise<void>;
  /** In a transaction nobody else redeems a token of this family until that ends. */
  lockToken(tokenHash: string): Promise<{ token: RefreshTokenRow; device: DeviceRow; person: PersonRow } | null>;
  markUsed(tokenHash: string, at: Date): Promise<void>;
  removeTokensBefore(time: Date): Promise<void>;
}

export function devicesStore(db: Tx): DevicesStore {
  const one = <T>(rows: T[]): T | null => rows[0] ?? null;
  return {
    async knows(hash) {
      const { rows } = await db.execute(sql`select 1 from device_request where device_code_hash = ${hash}
        union all select 1 from refresh_token where token_hash = ${hash}`);
      return rows.length > 0;
    },
    addRequest: async (row) =>
      (
        await db
          .insert(deviceRequest)
          .values(row)
          .onConflictDoNothing({ target: deviceRequest.userCodeHash })
          .returning({ at: deviceRequest.createdAt })
      ).length > 0,
    lockRequest: async (deviceCodeHash) =>
      one(await db.select().from(deviceRequest).where(eq(deviceRequest.deviceCodeHash, deviceCodeHash)).for('update')),
    findRequest: async (userCodeHash) =>
      one(await db.select().from(deviceRequest).where(eq(deviceRequest.userCodeHash, userCodeHash))),
    decide: async (userCodeHash, decision, now) =>
      one(
        await db
          .update(deviceRequest)
          .set(decision)
          .where(
            and(
              eq(deviceRequest.userCodeHash, userCodeHash),
              eq(deviceRequest.status, 'waiting'),
              gt(deviceRequest.expiresAt, now),
            ),
          )
          .returning(),
      ),
    async polled(deviceCodeHash, lastPolledAt, intervalSeconds) {
      await db
        .update(deviceRequest)
        .set({ lastPolledAt, intervalSeconds })
        .where(eq(deviceRequest.deviceCodeHash, deviceCodeHash));
    },
    async removeRequest(deviceCodeHash) {
      await db.delete(deviceRequest).where(eq(deviceRequest.deviceCodeHash, deviceCodeHash));
    },
    async removeRequestsBefore(time) {
      await db.delete(deviceRequest).where(lt(deviceRequest.expiresAt, time));
    },

    async addDevice(row) {
      await db.insert(device).values(row);
    },
    find: async (id) =>
      one(
        await db
          .select({ device, person })
          .from(device)
          .innerJoin(person, eq(person.id, device.personId))
          .where(eq(device.id, id)),
      ),
    list: (personId, now) =>
      db
        .select()
        .from(device)
        .where(and(eq(device.personId, personId), isNull(device.revokedAt), gt(device.expiresAt, now)))
        .orderBy(desc(device.createdAt)),
    async used(id, lastUsedAt, expiresAt) {
      await db
        .update(device)
        .set({ lastUsedAt, ...(expiresAt ? { expiresAt } : {}) })
        .where(eq(device.id, id));
    },
    async revoke(id, revokedAt) {
      await db
        .update(device)
        .set({ revokedAt })
        .where(and(eq(device.id, id), isNull(device.revokedAt)));
    },
    revokeOf: async (personId, id, revokedAt) =>
      (
        await db
          .update(device)
          .set({ revokedAt })
          .where(and(eq(device.id, id), eq(device.personId, personId), isNull(device.revokedAt)))
          .returning({ id: device.id })
      ).length > 0,
    async revokeAll(personId, revokedAt) {
      await db
        .update(device)
        .set({ revokedAt })
        .where(and(eq(device.personId, personId), isNull(device.revokedAt)));
    },

    async addToken(row) {
      await db.insert(refreshToken).values(row);
    },
    lockToken: async (tokenHash) =>
      one(
        await db
          .select({ token: refreshToken, device, person })
          .from(refreshToken)
          .innerJoin(device, eq(device.id, refreshToken.deviceId))
          .innerJoin(person, eq(person.id, device.personId))
          .where(eq(refreshToken.tokenHash, tokenHash))
          .for('update', { of: [refreshToken, device] }),
      ),
    async markUsed(tokenHash, usedAt) {
      await db.update(refreshToken).set({ usedAt }).where(eq(refreshToken.tokenHash, tokenHash));
    },
    async removeTokensBefore(time) {
      await db.delete(refreshToken).where(lt(refreshToken.expiresAt, time));
    },
  };
}
