import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityProblems } from './accessibility.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { buildWithGallery, type Served, serveBuild } from './web-build.ts';

const PICTURES = fileURLToPath(new URL('../../test-results/gallery', import.meta.url));
/** GALLERY_ONLY=settings/ looks only at entries whose id holds this text. */
const only = process.env.GALLERY_ONLY ?? '';

if (!chromiumPath) console.warn(`gallery: ${NO_CHROMIUM}`);

describe.skipIf(!chromiumPath)('every view in every state', () => {
  let folder: string;
  let served: Served;
  let browser: Browser;
  let ids: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hangar-gallery-'));
    await buildWithGallery(folder);
    served = await serveBuild(folder);
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
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it('has entries, each with its own id', () => {
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const width of [1280, 390])
    for (const scheme of ['light', 'dark'])
      it.concurrent(`at ${width} px, ${scheme}: no error in the console, no scrolling sideways, nothing in the way of anybody`, async () => {
        const page = await browser.context.newPage();
        await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
        await page.emulateMedia({ colorScheme: scheme === 'dark' ? 'dark' : 'light', reducedMotion: 'reduce' });
        const problems: string[] = [];
        let at = '';
        page.on('console', (message) => {
          if (message.type() === 'error') problems.push(`${at}: ${message.text()}`);
        });
        page.on('pageerror', (error) => problems.push(`${at}: ${error.message}`));
        for (const id of ids) {
          at = id;
          const found = await look(page, served.origin, id, scheme, `${PICTURES}/${id}.${width}.${scheme}.png`);
          problems.push(...found.map((problem) => `${id}: ${problem}`));
        }
        await page.close();
        expect(problems).toEqual([]);
      }, 600_000);
});

/** Opens one entry, photographs it, and says what is wrong with it. The page stays loaded: only its address changes. */
async function look(page: Page, origin: string, id: string, scheme: string, picture: string): Promise<string[]> {
  const path = `/gallery?${new URLSearchParams({ entry: id, scheme })}`;
  if (page.url() === 'about:blank') await page.goto(`${origin}${path}`);
  else await page.evaluate(`sessionStorage.clear(); history.pushState({}, '', ${JSON.stringify(path)})`);
  const shown = await page
    .locator(`[data-gallery="${id}"]`)
    .waitFor()
    .then(() => true)
    .catch(() => false);
  if (!shown) return ['did not appear'];
  await page.evaluate('document.fonts.ready.then(() => true)');
  // Skeletons appear after 200 ms; transitions have come to rest by then too.
  await page.waitForTimeout(280);
  await mkdir(dirname(picture), { recursive: true });
  await page.screenshot({ path: picture, fullPage: true });
  const wider = await page.evaluate<number>('document.scrollingElement.scrollWidth - innerWidth');
  // At 390 pixels the same elements stand below each other: one width is enough for axe-core, which takes a second for each.
  const found = (page.viewportSize()?.width ?? 0) > 390 ? await accessibilityProblems(page) : [];
  return [...(wider > 0 ? [`scrolls sideways by ${wider} px`] : []), ...found];
}
