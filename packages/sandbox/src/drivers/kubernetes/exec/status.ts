import { z } from 'zod';

/** How the API server says that a process ended, or why there was none. */
export type Ended =
  | { readonly kind: 'exit'; readonly code: number }
  /** It never ran: `code` is what a shell would say, 127 where there is no such program, 126 where it cannot be run. */
  | { readonly kind: 'refused'; readonly code: 126 | 127; readonly text: string }
  /** The way to it broke somewhere behind the API server, or never was: nothing is known of the process. */
  | { readonly kind: 'broken'; readonly text: string };

const Status = z.object({
  status: z.string(),
  reason: z.string().catch(''),
  message: z.string().catch(''),
  details: z
    .object({ causes: z.array(z.object({ reason: z.string().catch(''), message: z.string().catch('') })).catch([]) })
    .catch({ causes: [] }),
});

/** Container runtimes tell a program that cannot be started by text alone: of runc, crun, and the kernel behind them. */
const NOT_STARTED =
  /failed to (start exec|exec in container|create exec)|unable to start container process|OCI runtime exec|exec failed/i;
const NO_PROGRAM = /executable file .*not found|executable .*not found in \$?PATH|no such file or directory/i;

/** @param bytes what came on the channel of errors */
export function readStatus(bytes: Buffer): Ended {
  const parsed = Status.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success) return { kind: 'broken', text: 'it does not say how' };
  const { status, reason, message, details } = parsed.data;
  if (status === 'Success') return { kind: 'exit', code: 0 };
  const told = details.causes.find((cause) => cause.reason === 'ExitCode')?.message ?? '';
  const code = /^\d{1,3}$/.test(told) ? Number(told) : null;
  if (reason === 'NonZeroExitCode' && code !== null) return { kind: 'exit', code };
  if (!NOT_STARTED.test(message)) return { kind: 'broken', text: message || reason };
  return { kind: 'refused', code: NO_PROGRAM.test(message) ? 127 : 126, text: message };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
