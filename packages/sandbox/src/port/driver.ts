import type { Driver as DriverDescription, DriverName, ProfileCheck } from '@hangar/contract';
import type { CallOptions, Units } from './unit.ts';

/** What a driver gets of a profile. */
export interface ProfileOf {
  readonly name: string;
  /** Without what is secret in them. */
  readonly settings: Record<string, unknown>;
  readonly limits: { cpus?: number | undefined; memoryBytes?: number | undefined; pids?: number | undefined };
  /** Opens a secret setting by its name when it is needed, never before; null when the profile has none. */
  secret(name: string): Promise<string | null>;
  /** Keys that machines have shown, kept for this profile: the first is believed, another one later is not. */
  readonly hostKeys: HostKeys;
  /**
   * Where a connection to a host may go: its addresses, as they were looked at. Whoever connects goes to one of them and asks no second
   * time, for the name may have another address by then. Left out: wherever the system says. @throws HangarError profile_host_refused
   */
  addressesOf?(host: string): Promise<readonly string[]>;
}

/** By the way to a machine, as its driver writes it (`host:port`, and those on the way); a line is one of known_hosts. */
export interface HostKeys {
  known(address: string): Promise<readonly string[]>;
  /** Kept unless some are known already, from a connection at the same time. Answers those that are known now. */
  pin(address: string, lines: readonly string[]): Promise<readonly string[]>;
}

/** A backend through the settings of one profile. */
export interface Reach {
  readonly units: Units;
  /** Whether what is set up could make a unit: asked when the server starts, makes nothing. @throws HangarError why not */
  validate?(o: CallOptions): Promise<void>;
  /** Proves that it works, cheapest check first; stops at the first that makes the rest pointless. */
  test(o: CallOptions): Promise<ProfileCheck[]>;
}

/** One kind of backend. */
export interface Driver extends AsyncDisposable {
  readonly name: DriverName;
  describe(o: CallOptions): Promise<DriverDescription>;
  /** Cheap, and opens nothing. @throws HangarError validation_failed when the settings are not the driver's */
  forProfile(profile: ProfileOf): Reach;
}
