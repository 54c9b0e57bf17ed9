export { openBlobsOnDisk } from './blob-disk.ts';
