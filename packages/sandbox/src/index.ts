export { whyUnsuitable } from './brought/start-script.ts';
export { openSandbox } from './machine/sandbox.ts';
export type {
  ExecutionInfo,
  ExecutionSpec,
  Executions,
  FileStat,
  Files,
  InputChannel,
  Offsets,
  Output,
  Platform,
  Programs,
  Result,
  Sandbox,
  StopSignal,
  Tool,
} from './machine/types.ts';
export type { Brought, ProgramFile } from './port/brought.ts';
export type { Driver, HostKeys, ProfileOf, Reach } from './port/driver.ts';
export type { Channel, Exit, Load, Machine, OpenOptions, TerminalSize } from './port/machine.ts';
export type { CallOptions, Program, SweepReport, UnitKey, UnitSpec, UnitState, Units } from './port/unit.ts';
