import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityProblems } from './accessibility.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { photograph, SCHEMES, turn } from './look.ts';
import { buildWithGallery, type Served, serveBuild } from './web-build.ts';

/** GALLERY_ONLY=settings/ looks only at entries whose id holds this text. */
const only = process.env.GALLERY_ONLY ?? '';
/** Pages at a time, for each width: most of the time one waits for what is drawn late. */
const PAGES = 2;

if (!chromiumPath) console.warn(`gallery: ${NO_CHROMIUM}`);

describe.skipIf(!chromiumPath)('every view in every state', () => {
  let served: Served;
  let browser: Browser;
  let ids: string[];

  beforeAll(async () => {
    served = await serveBuild(await buildWithGallery());
    browser = await openBrowser(chromiumPath ?? '');
    const page = await browser.context.newPage();
    await page.goto(`${served.origin}/gallery`);
    await page.locator('[data-gallery-index]').waitFor();
    const all = await page
      .locator('[data-entry]')
      .evaluateAll((links) => links.map((link) => link.getAttribute('data-entry')));
    ids = all.filter((id) => id !== null).filter((id) => id.includes(only));
    await page.close();
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  it('has entries, each with its own id', () => {
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const width of [1280, 390])
    it.concurrent(`at ${width} px, light and dark: no error in the console, no scrolling sideways, nothing in the way of anybody`, async () => {
      const waiting = [...ids];
      const looked: string[] = [];
      const found = await Promise.all(
        Array.from({ length: PAGES }, async () => {
          const page = await browser.context.newPage();
          await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
          const problems: string[] = [];
          let at = '';
          page.on('console', (message) => {
            if (message.type() === 'error') problems.push(`${at}: ${message.text()}`);
          });
          page.on('pageerror', (error) => problems.push(`${at}: ${error.message}`));
          for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
            at = id;
            problems.push(...(await look(page, served.origin, id, width)));
            looked.push(id);
          }
          await page.close();
          return problems;
        }),
      );
      expect(found.flat()).toEqual([]);
      expect(looked.sort()).toEqual([...ids].sort());
    }, 1_200_000);
});

/** Opens one entry, and says what is wrong with it in each scheme. The page stays loaded: only its address changes. */
async function look(page: Page, origin: string, id: string, width: number): Promise<string[]> {
  const address = (scheme: string) => `/gallery?${new URLSearchParams({ entry: id, scheme })}`;
  const goTo = (scheme: string) => `history.pushState({}, '', ${JSON.stringify(address(scheme))})`;
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  if (page.url() === 'about:blank') await page.goto(`${origin}${address('light')}`);
  else await page.evaluate(`sessionStorage.clear(); ${goTo('light')}`);
  const shown = await page
    .locator(`[data-gallery="${id}"]`)
    .waitFor()
    .then(() => true)
    .catch(() => false);
  if (!shown) return [`${id}: did not appear`];
  await page.evaluate('document.fonts.ready.then(() => true)');
  // Skeletons appear after 200 ms; transitions have come to rest by then too.
  await page.waitForTimeout(280);
  const problems: string[] = [];
  for (const scheme of SCHEMES) {
    await turn(page, scheme, scheme === 'dark' ? goTo('dark') : undefined);
    const wider = await page.evaluate<number>('document.scrollingElement.scrollWidth - innerWidth');
    const found = wider > 0 ? [`scrolls sideways by ${wider} px`] : [];
    // At 390 pixels the same elements stand below each other: one width is enough for axe-core.
    if (width > 390) found.push(...(await accessibilityProblems(page, scheme === 'light' ? 'everything' : 'colours')));
    await photograph(page, `gallery/${id}.${width}.${scheme}`, found);
    problems.push(...found.map((problem) => `${id} ${scheme}: ${problem}`));
  }
  return problems;
}
