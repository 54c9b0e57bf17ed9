import { refuseWhileHolding } from './held-connection.ts';

/** Calls of one round never become so many that a single statement grows without end. */
const AT_MOST = 500;

/**
 * Calls that come while a round is under way are answered by the next one, all in one: under load a query costs once a round and not
 * once a call. No call is answered by a round that began before it, so each sees what was committed before it asked. `load` gives
 * one result for each item, in order; when it throws, all calls of the round do. `weightOf`: a round ends before it is heavier than
 * `heaviest`, though an item may be heavier alone.
 */
export function together<T, R>(
  load: (items: readonly T[]) => Promise<readonly R[]>,
  o: { atMost?: number; weightOf?: (item: T) => number; heaviest?: number } = {},
): (item: T) => Promise<R> {
  const waiting: { item: T; answer: PromiseWithResolvers<R> }[] = [];
  let running = false;

  function howMany(): number {
    const { atMost = AT_MOST, weightOf = () => 0, heaviest = Number.POSITIVE_INFINITY } = o;
    let weight = 0;
    const tooHeavy = waiting.findIndex(({ item }, index) => {
      weight += weightOf(item);
      return index >= atMost || (index > 0 && weight > heaviest);
    });
    return tooHeavy === -1 ? waiting.length : tooHeavy;
  }

  async function rounds(): Promise<void> {
    // What the requests of this turn of the event loop ask for is there when it ends.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const round = waiting.splice(0, howMany());
      try {
        const results = await load(round.map(({ item }) => item));
        if (results.length !== round.length) throw new Error('not one result for each item');
        for (const [index, { answer }] of round.entries()) answer.resolve(results[index] as R);
      } catch (error) {
        for (const { answer } of round) answer.reject(error);
      }
    }
    running = false;
  }

  return (item) => {
    // The round asks for a connection, though somebody else may have begun it.
    refuseWhileHolding('a connection of the pool');
    const answer = Promise.withResolvers<R>();
    waiting.push({ item, answer });
    if (!running) {
      running = true;
      void rounds();
    }
    return answer.promise;
  };
}

/** The same for lookups by a key; a key that many ask for is looked up once a round. Undefined: `load` has no value for it. */
export function lookup<V>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
): (key: string) => Promise<V | undefined> {
  return together(async (keys: readonly string[]) => {
    const found = await load([...new Set(keys)]);
    return keys.map((key) => found.get(key));
  });
}
