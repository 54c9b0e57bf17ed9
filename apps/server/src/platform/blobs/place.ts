import { resolve } from 'node:path';
import { HangarError } from '@hangar/contract';

/** Where in which object store. Who the server is there comes from the client's standard chain, never from a setting. */
export interface S3Place {
  readonly kind: 's3';
  readonly bucket: string;
  /** Before every key; empty, or ends in `/`. */
  readonly prefix: string;
  /** Null: Amazon's own for the region. */
  readonly endpoint: string | null;
  /** Null: what the standard chain says. */
  readonly region: string | null;
  /** Whether the bucket stands in the path of a request or in its host name. */
  readonly style: 'path' | 'host';
  /** Whether browsers may be sent to the endpoint for large files, with a signed link. */
  readonly links: boolean;
}
export type BlobPlace = { readonly kind: 'disk'; readonly dir: string } | S3Place;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^([A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*)?$/;
const QUERY = ['endpoint', 'region', 'style', 'links'];

/** Reads `file:/some/folder` or `s3://bucket/prefix?endpoint=…&region=…&style=…&links=…`. @throws HangarError config_invalid */
export function readBlobUrl(text: string): BlobPlace {
  if (text.startsWith('file:')) return { kind: 'disk', dir: resolve(text.replace(/^file:(\/\/)?/, '')) };
  const url = URL.parse(text);
  if (url?.protocol !== 's3:') throw wrong('begins with neither file: nor s3:');
  if (url.username !== '' || url.password !== '')
    throw wrong(
      'holds credentials',
      'Give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in a profile, or by the role of the machine or pod.',
    );
  const unknown = [...url.searchParams.keys()].find((name) => !QUERY.includes(name));
  if (unknown !== undefined) throw wrong(`has ${unknown}, but takes ${QUERY.join(', ')}`);
  if (!BUCKET.test(url.hostname)) throw wrong(`names no bucket: ${url.hostname}`);
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  if (!PREFIX.test(prefix)) throw wrong(`has a prefix that cannot be used: ${prefix}`);
  const endpoint = url.searchParams.get('endpoint');
  if (endpoint !== null && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    throw wrong('has an endpoint that is not http:// or https://');
  const style = url.searchParams.get('style') ?? (endpoint === null ? 'host' : 'path');
  if (style !== 'path' && style !== 'host') throw wrong('has a style that is neither path nor host');
  const links = url.searchParams.get('links') ?? 'no';
  if (links !== 'yes' && links !== 'no') throw wrong('has links that are neither yes nor no');
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    region: url.searchParams.get('region'),
    style,
    links: links === 'yes',
  };
}

function wrong(what: string, wayOut?: string): HangarError {
  return new HangarError('config_invalid', {
    message: `HANGAR_BLOB_URL is not right: it ${what}.`,
    wayOut: wayOut ?? 'Write it as file:/some/folder or s3://bucket/prefix?endpoint=https://…&region=…',
  });
}
