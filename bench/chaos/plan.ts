/** What may be killed. `wrapper` is what stands between the server and the worker: shell, timeout, bubblewrap, docker-init. */
export const VICTIMS = ['server', 'worker', 'postmaster', 'backend', 'wrapper', 'git', 'agent'] as const;
export type Victim = (typeof VICTIMS)[number];

const WEIGHTS: Readonly<Record<Victim, number>> = {
  server: 22,
  worker: 20,
  postmaster: 8,
  backend: 9,
  wrapper: 12,
  git: 11,
  agent: 18,
};

export interface PlannedKill<V extends string = Victim> {
  readonly n: number;
  /** Milliseconds after the kill before it. */
  readonly afterMs: number;
  readonly victim: V;
  /** Which of the candidates: a place between 0 and 1. */
  readonly pick: number;
}

export interface PlannedJob {
  readonly tag: string;
  readonly profile: string;
  readonly steps: number;
  readonly exitCode: number;
  readonly artifact: boolean;
  readonly binary: boolean;
  /** The checkout comes with uncommitted work, which is part of the base. */
  readonly patch: boolean;
}

export const LINES_A_STEP = 5;
const STEP_SECONDS = 0.6;

/** Mulberry32: the same seed gives the same numbers everywhere. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const planKills = (seed: number, count: number): PlannedKill[] => drawKills(seed, count, WEIGHTS, 'agent');

/** All kills of a run, fixed by its seed before it begins: a mean gap of 1.5 s. */
export function drawKills<V extends string>(
  seed: number,
  count: number,
  weights: Readonly<Record<V, number>>,
  last: V,
): PlannedKill<V>[] {
  const next = random(seed);
  const victims = Object.entries<number>(weights) as [V, number][];
  const total = victims.reduce((sum, [, weight]) => sum + weight, 0);
  const draw = (): V => {
    let left = next() * total;
    for (const [victim, weight] of victims) {
      left -= weight;
      if (left < 0) return victim;
    }
    return last;
  };
  return Array.from({ length: count }, (_, index) => ({
    n: index + 1,
    afterMs: Math.round(300 + next() * 2_400),
    victim: draw(),
    pick: next(),
  }));
}

export function planJob(seed: number, n: number, profiles: readonly string[]): PlannedJob {
  const next = random(seed * 1_000_003 + n);
  const isLong = next() < 0.15;
  return {
    tag: `t${seed}-${n}`,
    profile: profiles[Math.floor(next() * profiles.length)] ?? 'local',
    steps: isLong ? 30 : 5 + Math.floor(next() * 12),
    exitCode: next() < 0.2 ? 1 + Math.floor(next() * 9) : 0,
    artifact: next() < 0.3,
    binary: next() < 0.3,
    patch: next() < 0.3,
  };
}

/** A shell block that tells a server outside that it begins, prints numbered lines, changes files, and tells that it is done. */
export function specOf(job: PlannedJob, markPort: number): string {
  const { tag } = job;
  const mark = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${markPort} && printf "GET /%s HTTP/1.0\\r\\n\\r\\n" "$1" >&3 && read -r -t 30 answer <&3' mark`;
  return [
    `# ${tag}`,
    '',
    '```sh',
    `${mark} "begin/${tag}/$HANGAR_JOB_ID/$$"`,
    `mkdir -p new && echo "new of ${tag}" > "new/${tag}.txt"`,
    `sed -i "s/^# .*/# Changed by ${tag}/" README.md`,
    ...(job.binary ? [`printf '\\001\\002\\000\\377${tag}' > image.bin`] : []),
    'step=0; line=0',
    `while [ $step -lt ${job.steps} ]; do`,
    '  step=$((step+1))',
    '  echo "step $step" >> progress.txt',
    `  for each in ${Array.from({ length: LINES_A_STEP }, (_, index) => index + 1).join(' ')}; do line=$((line+1)); echo "line $line of ${tag}"; done`,
    '  echo "end of step $step" >&2',
    `  sleep ${STEP_SECONDS}`,
    'done',
    ...(job.artifact ? [`echo "report of ${tag}" > "$HANGAR_ARTIFACTS/report.txt"`] : []),
    `${mark} "end/${tag}/$HANGAR_JOB_ID/$$"`,
    `exit ${job.exitCode}`,
    '```',
    '',
  ].join('\n');
}
