import { type DockerSettings, HangarError, type Resources, sizeInWords } from '@hangar/contract';
import { z } from 'zod';
import type { UnitKey, UnitState, WorkerAccess } from '../../features/jobs/launch/launcher.ts';
import { UNSUITABLE } from '../../features/jobs/launch/start-script.ts';
import type { Engine } from './engine.ts';
import { LABEL, RUNTIME_DIR } from './runtime.ts';

const DEFAULT_PIDS = 4096;
const SOCKET_DIR = '/run/hangar';
const WORK_DIR = '/job';
/** Browsers in containers crash with Docker's 64 MB. Counts as memory of the job when used. */
const SHARED_MEMORY = 1024 ** 3;

/**
 * What root in a container needs for package managers and git: change owners (CHOWN, FOWNER, FSETID), read trees of
 * others (DAC_OVERRIDE), drop to another user (SETUID, SETGID: apt does), end its processes (KILL). None of them reaches
 * beyond the container's own files and processes.
 */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID'];

export const containerName = (unit: UnitKey): string => `hangar-${unit.jobId}-${unit.attempt}`;

/** How the worker in a container reaches this server. @throws HangarError launch_failed when it cannot */
export function workerUrl(
  engine: Pick<Engine, 'isLocal' | 'host'>,
  settings: DockerSettings,
  access: WorkerAccess,
): { url: string; socketDir: string | null } {
  if (settings.serverUrl !== undefined) return { url: settings.serverUrl, socketDir: null };
  if (engine.isLocal && access.socketDir !== null)
    return { url: `unix:${SOCKET_DIR}/worker.sock`, socketDir: access.socketDir };
  const { hostname } = new URL(access.httpUrl);
  if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) {
    throw new HangarError('launch_failed', {
      message: `Containers at ${engine.host} cannot reach this server at ${access.httpUrl}.`,
      wayOut: 'Set serverUrl in the profile, or HANGAR_PUBLIC_URL, to an address the machine of Docker reaches.',
    });
  }
  return { url: access.httpUrl, socketDir: null };
}

export interface ContainerPlan {
  readonly image: string;
  readonly settings: DockerSettings;
  readonly resources: Resources;
  readonly labels: Record<string, string>;
  readonly volume: string;
  readonly server: { url: string; socketDir: string | null };
  /** The worker is killed after so long, though no server runs. */
  readonly deadlineSeconds?: number;
  /** Run in place of the worker. */
  readonly program?: string;
}

/** The body of POST /containers/create. */
export function containerBody(plan: ContainerPlan): object {
  const { resources, server } = plan;
  const memory = resources.memoryBytes;
  const toHost = new URL(server.url).hostname === 'host.docker.internal';
  return {
    Image: plan.image,
    Entrypoint: [`${RUNTIME_DIR}/start`],
    Cmd: plan.program === undefined ? [] : [plan.program],
    WorkingDir: '/',
    Env: [
      `HANGAR_WORKER_URL=${server.url}`,
      `HANGAR_WORKER_DIR=${WORK_DIR}`,
      ...(plan.deadlineSeconds === undefined ? [] : [`HANGAR_WORKER_SECONDS=${Math.ceil(plan.deadlineSeconds)}`]),
    ],
    Labels: plan.labels,
    ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, Tty: false },
    ...{ StopSignal: 'SIGTERM', Healthcheck: { Test: ['NONE'] } },
    HostConfig: {
      Init: true,
      ...(resources.cpus === undefined ? {} : { NanoCpus: Math.round(resources.cpus * 1e9) }),
      ...(memory === undefined ? {} : { Memory: memory, MemorySwap: memory }),
      PidsLimit: resources.pids ?? DEFAULT_PIDS,
      ShmSize: SHARED_MEMORY,
      SecurityOpt: ['no-new-privileges'],
      ...{ CapDrop: ['ALL'], CapAdd: CAPABILITIES, Privileged: false, AutoRemove: false },
      NetworkMode: plan.settings.network,
      ...(toHost ? { ExtraHosts: ['host.docker.internal:host-gateway'] } : {}),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
      Mounts: [
        { Type: 'volume', Source: plan.volume, Target: RUNTIME_DIR, ReadOnly: true, VolumeOptions: { NoCopy: true } },
        ...(server.socketDir ? [{ Type: 'bind', Source: server.socketDir, Target: SOCKET_DIR, ReadOnly: true }] : []),
      ],
    },
  };
}

export function unitLabels(instanceId: string, unit: UnitKey): Record<string, string> {
  return { [LABEL.instance]: instanceId, [LABEL.job]: unit.jobId, [LABEL.attempt]: String(unit.attempt) };
}

export const ContainerState = z.object({
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean().catch(false),
    Error: z.string().catch(''),
    StartedAt: z.string().catch(''),
    FinishedAt: z.string().catch(''),
  }),
  Config: z.object({ Env: z.array(z.string()).catch([]) }).catch({ Env: [] }),
  HostConfig: z.object({ Memory: z.number().catch(0) }).catch({ Memory: 0 }),
});
export type ContainerState = z.infer<typeof ContainerState>;

/**
 * @param lastWords the end of what the worker itself printed; asked for only when it ended badly
 * @param isRuntimeThere whether the container has the worker's files; asked for only when nothing could be run
 */
export async function unitState(
  container: Pick<ContainerState, 'HostConfig'> & {
    readonly State: Omit<ContainerState['State'], 'StartedAt' | 'FinishedAt'> & {
      readonly StartedAt?: string;
      readonly FinishedAt?: string;
    };
    readonly Config?: ContainerState['Config'];
  },
  lastWords: () => Promise<string>,
  isRuntimeThere: () => Promise<boolean>,
): Promise<UnitState> {
  const { Status: status, ExitCode: exitCode, OOMKilled: outOfMemory, Error: error } = container.State;
  if (status === 'created') return { kind: 'starting', reason: 'The container is made' };
  if (status !== 'exited' && status !== 'dead' && status !== 'removing') return { kind: 'running' };
  const ended = { kind: 'exited', exitCode, outOfMemory } as const;
  if (outOfMemory) return { ...ended, reason: `Out of memory at ${sizeInWords(container.HostConfig.Memory)}` };
  if (exitCode === 0) return { ...ended, reason: 'The worker has ended' };
  const unsuitable = UNSUITABLE[exitCode];
  if (unsuitable !== undefined) return { ...ended, reason: unsuitable, code: 'image_unsuitable' };
  const words = error || (await lastWords());
  const detail = words ? `: ${words}` : '';
  if (exitCode === 127 && words.includes(`${RUNTIME_DIR}/start`)) {
    return (await isRuntimeThere())
      ? { ...ended, reason: 'The image has no shell', code: 'image_unsuitable' }
      : { ...ended, reason: 'Somebody removed the files of the worker from Docker', code: 'launch_failed' };
  }
  // The loader's words when Node and the C library of the image do not fit.
  if (/GLIBC(XX)?_|error while loading shared libraries|exec format error/i.test(words)) {
    return { ...ended, reason: `The image cannot run Node${detail}`, code: 'image_unsuitable' };
  }
  if (exitCode === 137 && livedToItsDeadline(container))
    return { ...ended, reason: 'It ran for longer than the server lets a worker live', code: 'job_timeout' };
  if (exitCode === 137) return { ...ended, reason: 'The worker was killed' };
  return { ...ended, reason: `The worker ended with exit code ${exitCode}${detail}` };
}

/** Docker notes the start when the process is under way already. */
const NOTED_LATE_MS = 1_000;

function livedToItsDeadline({ State, Config }: Parameters<typeof unitState>[0]): boolean {
  const seconds = Number(Config?.Env.find((entry) => entry.startsWith('HANGAR_WORKER_SECONDS='))?.split('=')[1]);
  return Date.parse(State.FinishedAt ?? '') - Date.parse(State.StartedAt ?? '') >= seconds * 1000 - NOTED_LATE_MS;
}

/** Text of a log answer: frames with an 8 byte head of kind and length. */
export function readFrames(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}
