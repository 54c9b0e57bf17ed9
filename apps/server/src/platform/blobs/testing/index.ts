export { createBlobsInMemory } from './blobs-in-memory.ts';
export { blobsSuite } from './blobs-suite.ts';
