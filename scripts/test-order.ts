import { existsSync } from 'node:fs';
import path from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { ROOT } from './run.ts';

/** Files that take longest, longest first: one that began last would run alone at the end. */
const LONG = [
  'tests/web/gallery.test.ts',
  'tests/abuse/openapi.test.ts',
  'tests/agents/agents.test.ts',
  'tests/scaled/scaled.test.ts',
  'tests/web/pages.test.ts',
  'tests/web/tabs.test.ts',
  'tests/e2e/cuts/cli.test.ts',
  'tests/e2e/cuts/database.test.ts',
  'tests/e2e/cuts/web.test.ts',
  'tests/e2e/cuts/worker.test.ts',
  'apps/server/src/platform/database/embedded/embedded.test.ts',
  'tests/e2e/resources/limits.test.ts',
];

/** The order of a fresh clone, too: there, vitest knows sizes of files only, and no times. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = LONG.filter((file) => !existsSync(path.join(ROOT, file)));
    if (gone.length > 0) throw new Error(`${gone.join(', ')} in scripts/test-order.ts: there is no such file`);
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONG.indexOf(path.relative(ROOT, moduleId));
      return at === -1 ? LONG.length : at;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}
