/** Sends a signal to a process, or with a negative number to a group. False when nobody with this number is left. */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  // 0 and -1 mean "my own group" and "everybody"; neither is ever meant here.
  if (!Number.isInteger(pid) || pid === 0 || pid === -1) return false;
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
