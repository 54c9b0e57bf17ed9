import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { buildWithGallery, type Served, serveBuild } from './web-build.ts';

if (chromiumPath === undefined) console.warn(`what the page paints before the app: ${NO_CHROMIUM}`);

/** In the browser: place, colours and words of what the frame of a page is made of. */
const FRAME = `[...document.querySelectorAll('nav[aria-label="Places"], nav[aria-label="Places"] :is(a, svg)')]
  .filter((one) => one.checkVisibility())
  .map((one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    const { color, backgroundColor } = getComputedStyle(one);
    return [one.tagName, one.getAttribute('href'), x, y, width, height, color, backgroundColor].join(' ');
  })`;

describe.skipIf(chromiumPath === undefined)('what the page paints before the app', () => {
  let folder: string;
  let served: Served;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    folder = await buildWithGallery();
    served = await serveBuild(folder);
    browser = await openBrowser(chromiumPath ?? '');
    page = await browser.context.newPage();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  const withoutApp = async (path: string) => {
    await page.route('**/assets/*.js', (route) => route.abort());
    await page.goto(served.origin + path);
  };
  const withApp = async (path: string) => {
    await page.unroute('**/assets/*.js');
    await page.goto(served.origin + path);
    await page.locator('[data-first-paint]').waitFor({ state: 'detached' });
    await page.evaluate('document.fonts.ready');
  };

  for (const scheme of ['light', 'dark'] as const)
    for (const width of [1280, 900, 390])
      it(`is the frame the app draws, at ${width} px, ${scheme}`, async () => {
        await page.emulateMedia({ colorScheme: scheme });
        await page.setViewportSize({ width, height: 800 });
        for (const path of ['/jobs', '/settings/keys']) {
          await withoutApp(path);
          await page.evaluate('document.fonts.ready');
          const before = await page.evaluate<string[]>(FRAME);
          await withApp(path);
          const after = await page.evaluate<string[]>(FRAME);
          expect(before.length).toBeGreaterThan(6);
          expect(after).toEqual(before);
        }
      });

  it.each(['/sign-in', '/sign-in/link', '/invite', '/device'])('is nothing on %s', async (path) => {
    await withoutApp(path);
    expect(await page.locator('[data-first-paint]').isVisible()).toBe(false);
  });

  it('names the three scripts, the sheet and the font it begins with', async () => {
    const html = await readFile(join(folder, 'index.html'), 'utf8');
    const asked: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/assets/')) asked.push(new URL(request.url()).pathname);
    });
    await withApp('/jobs');
    await page.getByRole('heading', { name: 'Jobs' }).waitFor();
    // There is no server behind this page, so it shows an error, and its code has a font of its own.
    const first = asked.filter((path) => !path.includes('jetbrains-mono'));
    expect(first.filter((path) => !html.includes(path))).toEqual([]);
    expect(first.map((path) => path.split('.').at(-1)).sort()).toEqual(['css', 'js', 'js', 'js', 'woff2']);
  });
});
