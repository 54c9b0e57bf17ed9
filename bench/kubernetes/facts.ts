import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As kubectl asks for a table. */
export const TABLE =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';
/** As kubectl asks for all that a server has, at once. */
export const DISCOVERY =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

export interface Object {
  readonly metadata: { readonly name: string; readonly uid: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** What a real cluster answered; see record-process.ts. */
export interface Facts {
  readonly version: unknown;
  readonly pods: { readonly kind: string; readonly apiVersion: string; readonly items: readonly Object[] };
  readonly table: {
    readonly columnDefinitions: readonly unknown[];
    readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: Object }[];
    readonly [field: string]: unknown;
  };
  readonly nodes: { readonly kind: string; readonly apiVersion: string; readonly items: readonly Object[] };
  readonly discovery: Readonly<Record<string, unknown>>;
  readonly notFound: unknown;
}

export const readFacts = (): Facts =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'facts.json'), 'utf8')) as Facts;
