import { blobsSuite, createBlobsInMemory } from './testing/index.ts';

blobsSuite('blobs in memory', createBlobsInMemory);
