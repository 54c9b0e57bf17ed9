import type { Sandbox } from '@daytona/sdk';
import type { HangarError } from '@hangar/contract';
import type { Logger } from 'pino';
import type { Ask } from './client.ts';

/** What channels and files of a machine share. */
export interface MachineParts {
  readonly sandbox: Sandbox;
  readonly log: Logger;
  readonly heartbeatMs: number;
  /** As the client's, and with what is gone proved to be gone. */
  ask<T>(o: Ask, call: () => Promise<T>): Promise<T>;
  /** The error itself, or sandbox_gone when the API proves that. */
  proveGone(error: HangarError): Promise<HangarError>;
  told(text: string): string;
  /** What goes on after its caller got an answer. */
  background(work: Promise<unknown>): void;
}
