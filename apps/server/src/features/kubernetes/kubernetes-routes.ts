import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import {
  ClusterLiveQuery,
  HangarError,
  KubernetesName,
  type PodLogLine,
  PodLogQuery,
  rawOperations,
} from '@hangar/contract';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { openEventStream, takeOver } from '../../platform/http/event-stream.ts';
import { api, parseInput, type RawRoutes, serveRaw } from '../../platform/http/routes.ts';
import type { PodLogText } from './cluster.ts';
import type { ClusterLive } from './cluster-live.ts';
import type { Kubernetes } from './kubernetes.ts';

export const kubernetesRoutes = (kubernetes: Kubernetes) => ({
  health: api.kubernetes.health.handler(({ input, context }) =>
    kubernetes.health({ ...input, signal: context.signal }),
  ),
  nodes: api.kubernetes.nodes.handler(({ input, context }) => kubernetes.nodes({ ...input, signal: context.signal })),
  pods: api.kubernetes.pods.handler(({ input, context }) => kubernetes.pods(input, context.signal)),
  pod: api.kubernetes.pod.handler(({ input, context }) =>
    kubernetes.pod(input.namespace, input.name, { context: input.context, signal: context.signal }),
  ),
});

const { live, podLog } = rawOperations.kubernetes;
const ByPod = z.object({ namespace: KubernetesName, name: KubernetesName });
/** As the shell's own stream says it: a page that hears nothing for longer takes the connection for dead. */
const HEARTBEAT_MS = 15_000;
/** A reader this far behind is cut off; it comes back and is shown what is then. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;
/** Followed logs at a time, of all people together: each is a connection to the API server. */
const LOGS_MOST = 200;

/** The routes of the cluster where bytes matter: what changes, live, and logs of pods. */
export function kubernetesBytesRoutes(o: { kubernetes: Kubernetes; live: ClusterLive }): RawRoutes {
  let logs = 0;
  return (app) => {
    const closing = new AbortController();
    app.addHook('preClose', async () => {
      closing.abort();
      o.live.close();
    });

    serveRaw(app, live, async (request, reply) => {
      const query = parseInput(ClusterLiveQuery, request.query);
      let response: ServerResponse | null = null;
      const early: string[] = [];
      const leave = await o.live.join(query, {
        write(frame) {
          if (response === null) early.push(frame);
          else if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
          else response.write(frame);
        },
        end: () => response?.end(),
      });
      // Gone meanwhile: its `close` has been.
      if (reply.raw.destroyed) {
        leave();
        return reply.hijack();
      }
      const opened = openEventStream(reply);
      response = opened;
      for (const frame of early) opened.write(frame);
      const heartbeat = setInterval(() => opened.write('event: alive\ndata: {}\n\n'), HEARTBEAT_MS);
      const end = () => opened.end();
      closing.signal.addEventListener('abort', end, { once: true });
      opened.once('close', () => {
        clearInterval(heartbeat);
        closing.signal.removeEventListener('abort', end);
        leave();
      });
    });

    serveRaw(app, podLog, async (request, reply) => {
      const { namespace, name } = parseInput(ByPod, request.params);
      const query = parseInput(PodLogQuery, request.query);
      const follow = query.follow || /\btext\/event-stream\b/.test(request.headers.accept ?? '');
      const resumed = follow ? placeIn(request.headers['last-event-id']) : null;
      if (logs >= LOGS_MOST)
        throw new HangarError('rate_limited', { message: `${LOGS_MOST} logs of pods are read already.` });
      logs += 1;
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      // Gone while it was found out who asks: its `close` has been.
      if (reply.raw.destroyed) gone.abort();
      const signal = AbortSignal.any([gone.signal, closing.signal]);
      try {
        const lines = await o.kubernetes.log(query.context, namespace, name, {
          container: query.container ?? null,
          previous: query.previous ?? false,
          tail: resumed === null ? query.tail : null,
          after: resumed?.at ?? null,
          follow,
          signal,
        });
        if (follow) await sendLines(openEventStream(reply), lines, resumed?.n ?? 0, signal);
        else await sendText(reply, lines, `${name}.log`, signal);
      } finally {
        logs -= 1;
      }
      return reply;
    });
  };
}

/** The number and the time of the last line a reader has, from its Last-Event-ID. */
function placeIn(header: string | string[] | undefined): { n: number; at: string } | null {
  const [, n, at] = /^(\d{1,9})@(\d{4}-\d\d-\d\dT[0-9:.]{8,20}Z)$/.exec(typeof header === 'string' ? header : '') ?? [];
  return n === undefined || at === undefined ? null : { n: Number(n), at };
}

/** Lines as Server-Sent Events; the id of a frame is where its last line stands. */
async function sendLines(
  response: ServerResponse,
  batches: AsyncIterable<readonly PodLogText[]>,
  after: number,
  signal: AbortSignal,
): Promise<void> {
  const heartbeat = setInterval(() => response.write('event: alive\ndata: {}\n\n'), HEARTBEAT_MS);
  let n = after;
  try {
    for await (const batch of batches) {
      const lines = batch.map(({ at, text }): PodLogLine => {
        n += 1;
        return { n, at: at.replace(/(\.\d{3})\d*Z$/, '$1Z'), text };
      });
      const frame = `id: ${n}@${batch.at(-1)?.at ?? ''}\ndata: ${JSON.stringify(lines)}\n\n`;
      if (!response.write(frame)) await once(response, 'drain', { signal });
    }
    response.write(`event: end\ndata: ${JSON.stringify({ total: n })}\n\n`);
    response.end();
  } catch {
    // Cut off, without its end: the reader comes back and goes on after its last line.
    response.destroy();
  } finally {
    clearInterval(heartbeat);
  }
}

/** What a container printed is hostile: it is text, and never a page of this site. */
async function sendText(
  reply: FastifyReply,
  batches: AsyncIterable<readonly PodLogText[]>,
  fileName: string,
  signal: AbortSignal,
): Promise<void> {
  const response = takeOver(reply);
  response.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(fileName)}`,
    'content-security-policy': "default-src 'none'; sandbox",
  });
  try {
    for await (const batch of batches) {
      if (!response.write(`${batch.map(({ text }) => text).join('\n')}\n`)) await once(response, 'drain', { signal });
    }
    response.end();
  } catch {
    response.destroy();
  }
}
