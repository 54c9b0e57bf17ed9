import { expect, test } from 'vitest';
import { readBlobUrl } from './place.ts';

test.each([
  ['file:/some/folder', { kind: 'disk', dir: '/some/folder' }],
  ['file:///some/folder', { kind: 'disk', dir: '/some/folder' }],
  [
    's3://bucket',
    { kind: 's3', bucket: 'bucket', prefix: '', endpoint: null, region: null, style: 'host', links: false },
  ],
  [
    's3://bucket/a/b/?endpoint=https://s3.example.org:9000&region=eu-1&links=yes',
    {
      ...{ kind: 's3', bucket: 'bucket', prefix: 'a/b/', endpoint: 'https://s3.example.org:9000' },
      ...{ region: 'eu-1', style: 'path', links: true },
    },
  ],
])('%s', (url, place) => {
  expect(readBlobUrl(url)).toEqual(place);
});

test.each([
  ['gs://bucket', 'neither file: nor s3:'],
  ['bucket', 'neither file: nor s3:'],
  ['s3://key:secret@bucket', 'credentials'],
  ['s3://Bad_Bucket', 'names no bucket'],
  ['s3://bucket/../x?prefix=1', 'prefix'],
  ['s3://bucket/a//b', 'prefix'],
  ['s3://bucket?endpoint=ftp://x', 'endpoint'],
  ['s3://bucket?style=none', 'style'],
])('%s is refused', (url, words) => {
  expect(() => readBlobUrl(url)).toThrow(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(words) }),
  );
});
