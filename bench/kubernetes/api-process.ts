// An API server that replays what a real one answered, for as many pods as are asked for. Strict: what it was not made for is
// refused, and counted. `node bench/kubernetes/api-process.ts PODS CHANGES-A-SECOND` prints its address.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFacts } from './facts.ts';

const [pods = 0, changesASecond = 0] = process.argv.slice(2).map(Number);
const facts = readFacts();
const nodeCount = Math.max(1, Math.ceil(pods / 100));
const NAMESPACES = Math.max(1, Math.min(200, Math.ceil(pods / 150)));

/** What was counted since the start, and what is open now. */
const counts = { lists: 0, watches: 0, openWatches: 0, mostOpenWatches: 0, changes: 0, refused: [] as string[] };
let version = 1000;

const nameOf = (n: number) => `shop-${(n % 997).toString(36)}-7d9f8c6b5-${n.toString(36).padStart(5, '0')}`;
const namespaceOf = (n: number) => `team-${n % NAMESPACES}`;
const uidOf = (n: number) => `${n.toString(16).padStart(8, '0')}-7c1d-4a52-9f3e-5b6a7c8d9e0f`;
const nodeOf = (n: number) => `node-${n % nodeCount}`;

/** Of a hundred pods: what states there are on a busy cluster. */
const KINDS = ['runs', 'waits', 'crashes', 'once'] as const;
const kindOf = (n: number): (typeof KINDS)[number] => {
  const share = (n * 7919) % 200;
  return share < 3 ? 'waits' : share === 3 ? 'crashes' : share < 6 ? 'once' : 'runs';
};

/** A text that was recorded, with the names of one pod where those of the recorded one stood. */
function template(text: string, recorded: { name: string; namespace: string; uid: string; node: string }) {
  const marks: readonly (readonly [string, string])[] = [
    [recorded.name, '\u0001'],
    [recorded.uid, '\u0002'],
    [recorded.namespace, '\u0003'],
    ...(recorded.node === '' ? [] : [[recorded.node, '\u0004'] as const]),
  ];
  let marked = text;
  for (const [from, to] of marks) marked = marked.replaceAll(from, to);
  marked = marked.replace(/"resourceVersion":"\d+"/, '"resourceVersion":"\u0005"');
  const parts = marked.split(/([\u0001-\u0005])/);
  return (n: number, at: number): string => {
    const values: Record<string, string> = {
      '\u0001': nameOf(n),
      '\u0002': uidOf(n),
      '\u0003': namespaceOf(n),
      '\u0004': nodeOf(n),
      '\u0005': String(at),
    };
    let made = '';
    for (const part of parts) made += values[part] ?? part;
    return made;
  };
}

const recorded = (kind: string) => {
  const pod = facts.pods.items.find(({ metadata }) => metadata.name.startsWith(`${kind}-`));
  const row = facts.table.rows.find(({ object }) => object.metadata.name.startsWith(`${kind}-`));
  if (!pod || !row) throw new Error(`no pod ${kind} was recorded`);
  const spec = pod.spec as { nodeName?: string };
  const names = {
    ...{ name: pod.metadata.name, uid: pod.metadata.uid, node: spec.nodeName ?? '' },
    namespace: String(pod.metadata.namespace),
  };
  return { object: template(JSON.stringify(pod), names), row: template(JSON.stringify(row), names) };
};
const kinds = new Map(KINDS.map((kind) => [kind, recorded(kind)]));
const podText = (n: number, at: number): string => kinds.get(kindOf(n))?.object(n, at) ?? '';
const rowText = (n: number, at: number): string => kinds.get(kindOf(n))?.row(n, at) ?? '';

const [node] = facts.nodes.items;
if (!node) throw new Error('no node was recorded');
const nodeText = template(JSON.stringify(node), {
  ...{ name: '\u0000', namespace: '\u0000', uid: node.metadata.uid, node: node.metadata.name },
});

const PARAMETERS = new Set(['limit', 'continue', 'watch', 'resourceVersion', 'allowWatchBookmarks', 'timeoutSeconds']);

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://fake');
  const refuse = (status: number, why: string) => {
    counts.refused.push(`${status} ${request.method} ${request.url}: ${why}`);
    json(response, facts.notFound, status);
  };
  if (url.pathname === '/counts') return json(response, { ...counts, bytesAPod: podText(7, 1).length });
  if (request.method !== 'GET') return refuse(405, 'only reads are replayed');
  if (url.pathname === '/version') return json(response, facts.version);
  const discovery = facts.discovery[url.pathname];
  if (discovery !== undefined) {
    const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    return json(response, discovery, 200, type);
  }
  // Not every cluster has it; this one has not.
  if (url.pathname.startsWith('/apis/metrics.k8s.io/')) return json(response, facts.notFound, 404);
  const strange = [...url.searchParams.keys()].filter((name) => !PARAMETERS.has(name));
  if (strange.length > 0) return refuse(400, `what is ${strange.join()}`);
  const isTable = (request.headers.accept ?? '').includes('as=Table');
  if (url.pathname === '/api/v1/pods') {
    if (url.searchParams.has('watch')) return watch(request, response, url, 'pods');
    return list(response, url, pods, isTable ? tableOf : listOf(facts.pods.kind, podText));
  }
  if (url.pathname === '/api/v1/nodes') {
    if (url.searchParams.has('watch')) return watch(request, response, url, 'nodes');
    return list(response, url, nodeCount, listOf(facts.nodes.kind, nodeText));
  }
  return refuse(404, 'not replayed');
});

type Write = (from: number, to: number, metadata: object) => string;

const listOf =
  (kind: string, text: (n: number, at: number) => string): Write =>
  (from, to, metadata) => {
    const items = [];
    for (let n = from; n < to; n++) items.push(text(n, version));
    return `{"kind":"${kind}","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[${items.join(',')}]}`;
  };

const tableOf: Write = (from, to, metadata) => {
  const rows = [];
  for (let n = from; n < to; n++) rows.push(rowText(n, version));
  const { rows: _rows, ...rest } = facts.table;
  return `${JSON.stringify({ ...rest, metadata }).slice(0, -1)},"rows":[${rows.join(',')}]}`;
};

function list(response: ServerResponse, url: URL, total: number, write: Write): void {
  counts.lists += 1;
  const from = Number(url.searchParams.get('continue') ?? 0);
  const to = Math.min(total, from + Number(url.searchParams.get('limit') || total));
  const more = to < total ? { continue: String(to), remainingItemCount: total - to } : {};
  const text = write(from, to, { resourceVersion: String(version), ...more });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

const watchers = new Map<ServerResponse, 'pods' | 'nodes'>();

function watch(request: IncomingMessage, response: ServerResponse, url: URL, what: 'pods' | 'nodes'): void {
  if (!(Number(url.searchParams.get('resourceVersion')) >= 1000)) {
    counts.refused.push('a watch without the version of its list');
    json(response, facts.notFound, 400);
    return;
  }
  counts.watches += 1;
  counts.openWatches += 1;
  counts.mostOpenWatches = Math.max(counts.mostOpenWatches, counts.openWatches);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  watchers.set(response, what);
  request.once('close', () => {
    watchers.delete(response);
    counts.openWatches -= 1;
  });
}

/** Pods change all over the cluster, as their containers come and go. */
let at = 0;
if (changesASecond > 0)
  setInterval(() => {
    let lines = '';
    for (let n = 0; n < changesASecond / 20; n++) {
      version += 1;
      counts.changes += 1;
      at = (at + 7919) % Math.max(1, pods);
      lines += `{"type":"MODIFIED","object":${podText(at, version).replace('"restartCount":0', `"restartCount":${version % 50}`)}}\n`;
    }
    for (const [response, what] of watchers) if (what === 'pods') response.write(lines);
  }, 50).unref();
setInterval(() => {
  for (const [response, what] of watchers)
    response.write(
      `${JSON.stringify({ type: 'BOOKMARK', object: { kind: what === 'pods' ? 'Pod' : 'Node', apiVersion: 'v1', metadata: { resourceVersion: String(version), name: '' } } })}\n`,
    );
}, 30_000).unref();

function json(response: ServerResponse, body: unknown, status = 200, type = 'application/json'): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`);
});
