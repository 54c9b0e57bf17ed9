/** Builds the object store that tests use into the cache of this user, where Go is there: node scripts/object-store.ts */
import { installObjectStore } from '../apps/server/src/adapters/blob-s3/testing/index.ts';

const missing = await installObjectStore();
console.log(missing ?? 'The object store for tests is there.');
process.exitCode = missing === null ? 0 : 1;
