/**
 * How long cuts last, in seconds: short in `make test`. The long form, by hand:
 * HANGAR_TEST_CUT_SECONDS=60 npx vitest run tests/e2e/cuts
 */
export const CUT_SECONDS = Number(process.env.HANGAR_TEST_CUT_SECONDS ?? '6');
export const CUT_MS = CUT_SECONDS * 1000;
/** A test with a cut in it. What waits for the other side notices a dead link in 45 s at most. */
export const CUT_TEST_MS = CUT_MS + 150_000;
