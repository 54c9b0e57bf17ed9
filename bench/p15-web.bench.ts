// P15: the jobs page over loopback with a cold cache, with no job and with 1,000: first paint, first row, bytes on the wire;
// beside a file of a few lines from the same server, which is what the browser itself and one request take.
import { join } from 'node:path';
import pg from 'pg';
import type { CDPSession, Page } from 'playwright-core';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { chromiumPath, NO_CHROMIUM, openBrowser } from '../tests/web/browser.ts';
import { median, record } from './measure.ts';

const ROUNDS = 7;
const JOBS = 1_000;
const MOST_BYTES = 300_000;
const ROW = '[data-row-link]';
const EMPTY = 'a[href="/jobs/new"]';

/** In the browser: notes when what is looked for stands in the page, in the page's own clock. */
const NOTE_SHOWN = `
  const watch = new MutationObserver(() => {
    if (document.querySelector('${ROW}, main ${EMPTY}') === null) return;
    watch.disconnect();
    requestAnimationFrame(() => { document.documentElement.dataset.shownMs = String(performance.now()); });
  });
  watch.observe(document, { childList: true, subtree: true });`;
/** In the browser: first contentful paint, and what was noted. */
const PAINT_AND_SHOWN = `new Promise((done) => {
  new PerformanceObserver((list) => {
    const at = list.getEntries().find(({ name }) => name === 'first-contentful-paint')?.startTime;
    if (at !== undefined) setTimeout(() => done([at, Number(document.documentElement.dataset.shownMs ?? at)]), 100);
  }).observe({ type: 'paint', buffered: true });
})`;

interface Load {
  paintMs: number;
  shownMs: number;
  bytes: number;
  encodings: Set<string>;
}

async function load(page: Page, wire: CDPSession, url: string, shown: string | null): Promise<Load> {
  const encodings = new Set<string>();
  let bytes = 0;
  const finished = ({ encodedDataLength }: { encodedDataLength: number }) => {
    bytes += encodedDataLength;
  };
  const answered = ({ response }: { response: { headers: Record<string, string> } }) => {
    encodings.add(response.headers['content-encoding'] ?? 'none');
  };
  wire.on('Network.loadingFinished', finished);
  wire.on('Network.responseReceived', answered);
  try {
    await wire.send('Network.clearBrowserCache');
    await page.goto(url);
    if (shown !== null) await page.locator(shown).first().waitFor();
    const [paintMs, shownMs] = await page.evaluate<[number, number]>(PAINT_AND_SHOWN);
    // What the page still asks for when it is shown counts as well; the stream of changes never ends.
    await page.waitForTimeout(500);
    return { paintMs, shownMs, bytes, encodings };
  } finally {
    wire.off('Network.loadingFinished', finished);
    wire.off('Network.responseReceived', answered);
  }
}

if (chromiumPath === undefined) {
  console.log(`P15 skipped: ${NO_CHROMIUM}`);
} else {
  const server = await (await ServerProcess.make()).start();
  const browser = await openBrowser(chromiumPath);
  try {
    const page = await browser.context.newPage();
    await page.addInitScript({ content: NOTE_SHOWN });
    const wire = await browser.context.newCDPSession(page);
    await wire.send('Network.enable');
    await page.goto(/http\S+\/sign-in\/link#\S+/.exec(server.output)?.[0] ?? server.url);
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));

    const rounds = async (shown: string) => {
      const floor: Load[] = [];
      const loads: Load[] = [];
      for (let round = -1; round < ROUNDS; round++) {
        const nothing = await load(page, wire, `${server.url}/scheme.js`, null);
        const full = await load(page, wire, `${server.url}/jobs`, shown);
        if (round < 0) continue;
        floor.push(nothing);
        loads.push(full);
      }
      return { floor, loads };
    };
    const none = await rounds(EMPTY);
    const client = new pg.Client({ host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
    await client.connect();
    await client.query(
      `insert into job (id, user_id, user_name, title, agent, profile, driver, repo_name, timeout_seconds, request_hash, reason, state, finished_at, admitted_at, cleaned_at, wake_at)
       select 'j_' || lpad(n::text, 16, '0'), (select id from person limit 1), 'Admin', 'Job ' || n, 'shell', 'local', 'local', 'a/b', 60, 'x', 'Done', 'succeeded', now(), now(), now(), null
       from generate_series(1, $1) n`,
      [JOBS],
    );
    await client.query(`insert into job_order (job_id, spec) select id, '# X' from job`);
    await client.end();
    const many = await rounds(ROW);

    const of = (loads: readonly Load[], what: 'paintMs' | 'shownMs' | 'bytes') => loads.map((one) => one[what]);
    const bytes = Math.max(...of(none.loads, 'bytes'), ...of(many.loads, 'bytes'));
    const paint = Math.max(median(of(none.loads, 'paintMs')), median(of(many.loads, 'paintMs')));
    const row = median(of(many.loads, 'shownMs'));
    const encodings = [...new Set(many.loads.flatMap((one) => [...one.encodings]))].sort().join(', ');
    record({
      id: 'P15',
      what: `jobs page over loopback, cold cache, with 0 and ${JOBS} jobs: first paint, first row, bytes on the wire`,
      bar: 'first paint < 1 s; ≤ 300 kB on first load, everything',
      met: paint < 1_000 && bytes <= MOST_BYTES,
      result: `first paint ${paint.toFixed(0)} ms, first row of ${JOBS} jobs ${row.toFixed(0)} ms; ${(bytes / 1000).toFixed(0)} kB as sent (${encodings})`,
      series: [
        { label: 'a file of the same server: first paint', ms: of([...none.floor, ...many.floor], 'paintMs') },
        { label: '0 jobs: first paint', ms: of(none.loads, 'paintMs') },
        { label: '0 jobs: the page says so', ms: of(none.loads, 'shownMs') },
        { label: `${JOBS} jobs: first paint`, ms: of(many.loads, 'paintMs') },
        { label: `${JOBS} jobs: first row`, ms: of(many.loads, 'shownMs') },
      ],
      command: 'node bench/p15-web.bench.ts',
    });
  } finally {
    await browser.close();
    await server.remove();
  }
}
