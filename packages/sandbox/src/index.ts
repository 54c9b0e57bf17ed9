export type { Driver, HostKeys, ProfileOf, Reach } from './port/driver.ts';
export type { Channel, Exit, Load, Machine, OpenOptions, TerminalSize } from './port/machine.ts';
export type { CallOptions, Program, SweepReport, UnitKey, UnitSpec, UnitState, Units } from './port/unit.ts';
