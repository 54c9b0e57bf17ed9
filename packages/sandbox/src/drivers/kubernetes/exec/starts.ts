/** containerd 1.6 stands still for half a minute when it is to start some 30 processes of one container at once; 20 take two seconds. */
const AT_ONCE = 16;
/** A start that nothing is heard of for so long keeps nobody waiting any more. */
const LONGEST_MS = 5_000;

/** Who may start a process in a pod now. */
export interface Starts {
  /** What it gives is to be called once the process has begun, or never will. @throws the signal's reason */
  begin(uid: string, signal: AbortSignal): Promise<() => void>;
}

export function createStarts(): Starts {
  const pods = new Map<string, { starting: number; readonly waiting: Set<() => void> }>();

  return {
    async begin(uid, signal) {
      const pod = pods.get(uid) ?? { starting: 0, waiting: new Set<() => void>() };
      pods.set(uid, pod);
      if (pod.starting < AT_ONCE) pod.starting += 1;
      else {
        // Whoever is done hands its place on.
        const turn = Promise.withResolvers<void>();
        const abort = () => {
          pod.waiting.delete(turn.resolve);
          turn.reject(signal.reason);
        };
        pod.waiting.add(turn.resolve);
        signal.addEventListener('abort', abort, { once: true });
        if (signal.aborted) abort();
        await turn.promise;
        signal.removeEventListener('abort', abort);
      }
      let isDone = false;
      const done = () => {
        if (isDone) return;
        isDone = true;
        clearTimeout(timer);
        const [next] = pod.waiting;
        if (next) {
          pod.waiting.delete(next);
          next();
          return;
        }
        pod.starting -= 1;
        if (pod.starting === 0) pods.delete(uid);
      };
      const timer = setTimeout(done, LONGEST_MS);
      timer.unref();
      return done;
    },
  };
}
