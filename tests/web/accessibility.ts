import axe from 'axe-core';
import type { Page } from 'playwright-core';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

/** What axe-core holds against the page as it stands: one line for each rule, with the first place. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(axe.source);
  const options = { runOnly: { type: 'tag', values: TAGS }, resultTypes: ['violations'] };
  const found = await page.evaluate<Violation[]>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  );
  return found.map(({ id, help, nodes: [first, ...others] }) => {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `${id}: ${help}: ${first?.target.join(' ')}${more}: ${first?.failureSummary?.replaceAll(/\s+/g, ' ')}`;
  });
}
