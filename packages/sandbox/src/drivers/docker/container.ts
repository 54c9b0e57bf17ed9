import { type DockerSettings, HangarError, type Resources, sizeInWords } from '@hangar/contract';
import { z } from 'zod';
import { START } from '../../brought/entries.ts';
import { HELD_ITS_TIME, HELD_UNTIL_TOLD, holdCommand } from '../../brought/hold.ts';
import { BEFORE_NAMES, nameOfProgram, programInWords } from '../../brought/programs.ts';
import { whyUnsuitable } from '../../brought/start-script.ts';
import type { Brought } from '../../port/brought.ts';
import type { Program, UnitKey, UnitState } from '../../port/unit.ts';
import type { Engine } from './engine.ts';
import { LABEL, programPath, RUNTIME_DIR } from './runtime.ts';

const DEFAULT_PIDS = 4096;
const SOCKET_DIR = '/run/hangar';
const WORK_DIR = '/job';
/** Browsers in containers crash with Docker's 64 MB. Counts as memory of the unit when used. */
const SHARED_MEMORY = 1024 ** 3;

/**
 * What root in a container needs for package managers and git: change owners (CHOWN, FOWNER, FSETID), read trees of
 * others (DAC_OVERRIDE), drop to another user (SETUID, SETGID: apt does), end its processes (KILL). None of them reaches
 * beyond the container's own files and processes.
 */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID'];

export const containerName = (key: UnitKey): string => `hangar-${key.id}-${key.attempt}`;

/** How what runs in a container reaches this server. */
export interface WayToServer {
  readonly url: string;
  /** Folder of this machine with the socket that the URL names; null where it names none. */
  readonly socketDir: string | null;
}

/** @throws HangarError launch_failed when a container cannot reach this server */
export function wayToServer(
  engine: Pick<Engine, 'isLocal' | 'host'>,
  settings: DockerSettings,
  brought: Pick<Brought, 'httpUrl' | 'socketDir'>,
): WayToServer {
  if (settings.serverUrl !== undefined) return { url: settings.serverUrl, socketDir: null };
  if (engine.isLocal && brought.socketDir !== null)
    return { url: `unix:${SOCKET_DIR}/worker.sock`, socketDir: brought.socketDir };
  const { hostname } = new URL(brought.httpUrl);
  if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) {
    throw new HangarError('launch_failed', {
      message: `Containers at ${engine.host} cannot reach this server at ${brought.httpUrl}.`,
      wayOut: 'Set serverUrl in the profile, or HANGAR_PUBLIC_URL, to an address the machine of Docker reaches.',
    });
  }
  return { url: brought.httpUrl, socketDir: null };
}

/** What a container runs: nothing, so that others can be opened in it, or what was brought. */
export type Runs =
  | { readonly kind: 'hold' }
  | { readonly kind: 'brought'; readonly name: string; readonly input: string };

export interface ContainerPlan {
  readonly image: string;
  readonly network: string;
  readonly resources: Resources;
  readonly labels: Record<string, string>;
  readonly runs: Runs;
  /** By it what was brought talks to this server, and in a holder what is opened there later; null: there is none. */
  readonly server: WayToServer | null;
  /** It is killed after so long, though no server runs. */
  readonly deadlineSeconds: number | null;
}

/**
 * The body of POST /containers/create. A holder gets nothing of Hangar's but its first process, and the way to this server, where
 * nobody is heard without a token.
 *
 * @param volume with what is brought; null for a holder
 */
export function containerBody(plan: ContainerPlan, volume: string | null): object {
  const { resources } = plan;
  const memory = resources.memoryBytes;
  const { server } = plan;
  const toHost = server !== null && new URL(server.url).hostname === 'host.docker.internal';
  return {
    ...{ Image: plan.image, WorkingDir: '/', Labels: plan.labels },
    ...firstProcess(plan),
    ...{ StopSignal: 'SIGTERM', Healthcheck: { Test: ['NONE'] } },
    HostConfig: {
      Init: true,
      ...(resources.cpus === undefined ? {} : { NanoCpus: Math.round(resources.cpus * 1e9) }),
      ...(memory === undefined ? {} : { Memory: memory, MemorySwap: memory }),
      PidsLimit: resources.pids ?? DEFAULT_PIDS,
      ShmSize: SHARED_MEMORY,
      SecurityOpt: ['no-new-privileges'],
      ...{ CapDrop: ['ALL'], CapAdd: CAPABILITIES, Privileged: false, AutoRemove: false },
      NetworkMode: plan.network,
      ...(toHost ? { ExtraHosts: ['host.docker.internal:host-gateway'] } : {}),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
      Mounts: [
        ...(volume === null
          ? []
          : [{ Type: 'volume', Source: volume, Target: RUNTIME_DIR, ReadOnly: true, VolumeOptions: { NoCopy: true } }]),
        ...(server?.socketDir ? [{ Type: 'bind', Source: server.socketDir, Target: SOCKET_DIR, ReadOnly: true }] : []),
      ],
    },
  };
}

function firstProcess({ runs, server, deadlineSeconds }: ContainerPlan): object {
  if (runs.kind === 'hold') {
    const [shell, ...args] = holdCommand({ seconds: deadlineSeconds });
    return { Entrypoint: [shell], Cmd: args, Tty: false };
  }
  return {
    Entrypoint: [`${RUNTIME_DIR}/${START}`],
    Cmd: [programPath(runs.name)],
    Env: [
      ...(server === null ? [] : [`HANGAR_WORKER_URL=${server.url}`]),
      `HANGAR_WORKER_DIR=${WORK_DIR}`,
      ...(deadlineSeconds === null ? [] : [`HANGAR_WORKER_SECONDS=${Math.ceil(deadlineSeconds)}`]),
    ],
    ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, Tty: false },
  };
}

export function unitLabels(instanceId: string, key: UnitKey, program: Program): Record<string, string> {
  return {
    ...{ [LABEL.instance]: instanceId, [LABEL.id]: key.id, [LABEL.attempt]: String(key.attempt) },
    [LABEL.program]: nameOfProgram(program),
  };
}

const labels = z.record(z.string(), z.string());
export const ContainerState = z.object({
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean().catch(false),
    Error: z.string().catch(''),
    StartedAt: z.string().catch(''),
    FinishedAt: z.string().catch(''),
  }),
  Config: z.object({ Env: z.array(z.string()).catch([]), Labels: labels.catch({}) }).catch({ Env: [], Labels: {} }),
  HostConfig: z.object({ Memory: z.number().catch(0) }).catch({ Memory: 0 }),
  Mounts: z.array(z.object({ Destination: z.string() })).catch([]),
});
export type ContainerState = z.infer<typeof ContainerState>;

/** Whether the folder with the socket of this server is in it: containers that hold lacked it once. */
export const hasSocket = ({ Mounts }: Pick<ContainerState, 'Mounts'>): boolean =>
  Mounts.some(({ Destination }) => Destination === SOCKET_DIR);

/** Of an answer of the Engine, what the state of a unit is told by. */
export interface ContainerSeen {
  readonly State: Omit<ContainerState['State'], 'StartedAt' | 'FinishedAt'> & {
    readonly StartedAt?: string;
    readonly FinishedAt?: string;
  };
  readonly Config?: Partial<ContainerState['Config']>;
  readonly HostConfig: ContainerState['HostConfig'];
}

/**
 * @param lastWords the end of what the unit itself printed; asked for only when it ended badly
 * @param isRuntimeThere whether the container has what was brought; asked for only when nothing could be run
 */
export async function unitState(
  container: ContainerSeen,
  lastWords: () => Promise<string>,
  isRuntimeThere: () => Promise<boolean>,
): Promise<UnitState> {
  const { Status: status, ExitCode: exitCode, OOMKilled: outOfMemory, Error: error } = container.State;
  if (status === 'created') return { kind: 'starting', reason: 'The container is made' };
  if (status === 'paused') return { kind: 'paused' };
  if (status !== 'exited' && status !== 'dead' && status !== 'removing') return { kind: 'running' };
  const program = container.Config?.Labels?.[LABEL.program] ?? BEFORE_NAMES;
  const isHolder = program === 'hold';
  const ended = { kind: 'exited', exitCode, outOfMemory } as const;
  if (outOfMemory) return { ...ended, reason: `Out of memory at ${sizeInWords(container.HostConfig.Memory)}` };
  if (exitCode === 0 || (isHolder && exitCode === HELD_UNTIL_TOLD))
    return { ...ended, reason: `${programInWords(program)} has ended` };
  if (isHolder && exitCode === HELD_ITS_TIME) return { ...ended, reason: 'The time of the machine was over' };
  const unsuitable = isHolder ? null : whyUnsuitable(exitCode, 'image');
  if (unsuitable !== null) return { ...ended, reason: unsuitable, code: 'image_unsuitable' };
  const words = error || (await lastWords());
  const detail = words ? `: ${words}` : '';
  if (exitCode === 127 && words.includes(isHolder ? '/bin/sh' : `${RUNTIME_DIR}/${START}`)) {
    return isHolder || (await isRuntimeThere())
      ? { ...ended, reason: 'The image has no shell', code: 'image_unsuitable' }
      : { ...ended, reason: 'Somebody removed the files of the worker from Docker', code: 'launch_failed' };
  }
  // The loader's words when Node and the C library of the image do not fit.
  if (!isHolder && /GLIBC(XX)?_|error while loading shared libraries|exec format error/i.test(words)) {
    return { ...ended, reason: `The image cannot run Node${detail}`, code: 'image_unsuitable' };
  }
  if (exitCode === 137 && livedToItsDeadline(container))
    return { ...ended, reason: 'It ran for longer than the server lets a worker live', code: 'job_timeout' };
  if (exitCode === 137) return { ...ended, reason: `${programInWords(program)} was killed` };
  return { ...ended, reason: `${programInWords(program)} ended with exit code ${exitCode}${detail}` };
}

/** Docker notes the start when the process is under way already. */
const NOTED_LATE_MS = 1_000;

function livedToItsDeadline({ State, Config }: ContainerSeen): boolean {
  const seconds = Number(Config?.Env?.find((entry) => entry.startsWith('HANGAR_WORKER_SECONDS='))?.split('=')[1]);
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
