/** Something that waits and could start now. Candidates of one person come oldest first. */
export interface Candidate {
  readonly id: string;
  readonly userId: string;
  readonly profile: string;
  readonly askedAt: number;
}

export interface Load {
  readonly byUser: ReadonlyMap<string, number>;
  readonly byProfile: ReadonlyMap<string, number>;
  readonly total: number;
  /** When each person was let in last; whoever never was comes before all others. */
  readonly lastAdmitted: ReadonlyMap<string, number>;
}

/** How many of one noun may run at once. */
export interface Limits {
  readonly ofUser: (userId: string) => number;
  readonly ofProfile: (profile: string) => number;
}

/**
 * Who may start, in order: always the person with the fewest places in use, then the one who was let in longest ago, then the
 * oldest thing. Two people with 100 each advance evenly, whoever came first, though there be but one place. Pure.
 */
export function chooseNext(
  waiting: readonly Candidate[],
  load: Load,
  limits: Limits & { readonly total: number },
): string[] {
  const byUser = new Map(load.byUser);
  const byProfile = new Map(load.byProfile);
  const queues = new Map<string, Candidate[]>();
  for (const candidate of waiting) {
    const queue = queues.get(candidate.userId);
    if (queue) queue.push(candidate);
    else queues.set(candidate.userId, [candidate]);
  }
  const chosen: string[] = [];
  const running = (userId: string) => byUser.get(userId) ?? 0;
  const used = (profile: string) => byProfile.get(profile) ?? 0;
  const startable = (queue: readonly Candidate[]) =>
    queue.findIndex((candidate) => used(candidate.profile) < limits.ofProfile(candidate.profile));

  // Whoever is let in now comes after all who were before, and in this order.
  const turns = new Map(load.lastAdmitted);
  let turn = Math.max(0, ...turns.values());
  const before = (a: Candidate, b: Candidate): boolean => {
    const order =
      running(a.userId) - running(b.userId) ||
      (turns.get(a.userId) ?? 0) - (turns.get(b.userId) ?? 0) ||
      a.askedAt - b.askedAt;
    return order === 0 ? a.id < b.id : order < 0;
  };

  while (load.total + chosen.length < limits.total) {
    let best: { candidate: Candidate; queue: Candidate[]; index: number } | null = null;
    for (const [userId, queue] of queues) {
      if (running(userId) >= limits.ofUser(userId)) continue;
      const index = startable(queue);
      const candidate = queue[index];
      if (candidate && (!best || before(candidate, best.candidate))) best = { candidate, queue, index };
    }
    if (!best) break;
    const { candidate, queue, index } = best;
    queue.splice(index, 1);
    byUser.set(candidate.userId, running(candidate.userId) + 1);
    byProfile.set(candidate.profile, used(candidate.profile) + 1);
    turn += 1;
    turns.set(candidate.userId, turn);
    chosen.push(candidate.id);
  }
  return chosen;
}
