export { openBlobsInS3 } from './blob-s3.ts';
