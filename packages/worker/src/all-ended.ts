/** Like Promise.all, which leaves the others at work when one fails: here none goes on in a folder that is cleared away then. */
export async function allEnded<T extends readonly unknown[] | []>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works);
  return Promise.all(works);
}
