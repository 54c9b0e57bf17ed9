import axe from 'axe-core';
import type { Page } from 'playwright-core';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Rules whose answer depends on colours: the contrast of texts, and of links among words. */
const RULES_OF_COLOUR = axe
  .getRules(['cat.color'])
  .filter(({ tags }) => tags.some((tag) => TAGS.includes(tag)))
  .map(({ ruleId }) => ruleId);

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

/**
 * What axe-core holds against the page as it stands: one line for each rule, with the first place. `colours` asks only the
 * rules that can answer otherwise after the scheme has changed.
 */
export async function accessibilityProblems(page: Page, about: 'everything' | 'colours'): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(axe.source);
  const runOnly = about === 'everything' ? { type: 'tag', values: TAGS } : { type: 'rule', values: RULES_OF_COLOUR };
  const options = { runOnly, resultTypes: ['violations'] };
  const found = await page.evaluate<Violation[]>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  );
  return found.map(({ id, help, nodes: [first, ...others] }) => {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `${id}: ${help}: ${first?.target.join(' ')}${more}: ${first?.failureSummary?.replaceAll(/\s+/g, ' ')}`;
  });
}
