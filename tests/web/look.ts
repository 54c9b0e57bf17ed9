import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { ROOT } from '../e2e/server-process.ts';

/** In the order in which views are looked at: they are drawn in light, and turn dark as they stand. */
export const SCHEMES = ['light', 'dark'] as const;
export type Scheme = (typeof SCHEMES)[number];

/**
 * In the page: resolves when the scheme is drawn and what turned with it has come to rest. Diffs say for themselves what they
 * are drawn in; a page that is not the app's own (/docs) says nothing, and leaves it to the browser.
 */
const TURNED = (scheme: Scheme) => `(async () => {
  const drawn = () => new Promise((then) => requestAnimationFrame(then));
  const isTurned = () =>
    [document.documentElement.dataset.mantineColorScheme ?? '${scheme}']
      .concat([...document.querySelectorAll('[data-theme]')].map((one) => one.dataset.theme))
      .every((said) => said === '${scheme}');
  if (!isTurned()) {
    for (const deadline = Date.now() + 10_000; !isTurned() && Date.now() < deadline; ) await drawn();
    await drawn();
  }
  // A terminal hears of it by an effect, and draws itself in a frame of its own.
  if (document.querySelector('.xterm') !== null) for (let frame = 0; frame < 6; frame++) await drawn();
  const ends = ({ effect, playState }) => playState === 'running' && effect.getComputedTiming().endTime !== Infinity;
  await Promise.allSettled(document.getAnimations().filter(ends).map(({ finished }) => finished));
  return isTurned();
})()`;

/** Turns the scheme of the system, and waits until the page shows itself in it. `by` does what else it takes. */
export async function turn(page: Page, scheme: Scheme, by?: string): Promise<void> {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  if (by !== undefined) await page.evaluate(by);
  if (!(await page.evaluate<boolean>(TURNED(scheme)))) throw new Error(`${page.url()} did not become ${scheme}`);
}

/** HANGAR_TEST_PICTURES=1 leaves a picture of every view in test-results; without it, of those that something is wrong with. */
const EVERY_PICTURE = process.env.HANGAR_TEST_PICTURES === '1';

export async function photograph(page: Page, name: string, problems: readonly string[]): Promise<void> {
  if (!EVERY_PICTURE && problems.length === 0) return;
  const path = join(ROOT, 'test-results', `${name}.png`);
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path, fullPage: true });
}
