import { type Answer, refuse } from './answers.ts';

/** What the organization may have, and what it has. */
export interface Organization {
  snapshots: string[];
  /** Images that a registry knows. */
  images: string[];
  mostCpu: number;
  mostSandboxes: number;
  /** GiB of one sandbox. */
  mostMemoryEach: number;
  sandboxClass: 'container' | 'linux-vm';
  /** Whether it knows of a time to live. */
  hasTtl: boolean;
  /** What a new sandbox becomes after a moment. */
  becomes: { state: string; errorReason?: string };
}

/** A refusal of the control plane. */
export const api = (status: number, message: string) => refuse(status, message, undefined, 'DAYTONA_API');

/** What is wrong with a create; null: nothing. */
export function checkCreate(asked: Record<string, unknown>, organization: Organization): Answer | null {
  const unknown = Object.keys(asked).find((name) => !CREATE_FIELDS.has(name));
  if (unknown !== undefined) return api(400, `property ${unknown} should not exist`);
  const { snapshot, buildInfo, labels = {}, cpu, memory, disk } = asked;
  for (const [field, value] of Object.entries({ cpu, memory, disk, ttlMinutes: asked.ttlMinutes })) {
    if (value !== undefined && (!Number.isInteger(value) || Number(value) < 0)) {
      return api(400, `${field} must be an integer number`);
    }
  }
  if (typeof labels !== 'object' || !Object.values(Object(labels)).every((value) => typeof value === 'string')) {
    return api(400, 'labels must be an object of strings');
  }
  const dockerfile: unknown = Object(buildInfo).dockerfileContent;
  if (typeof dockerfile === 'string') {
    const image = /^FROM (\S+)/.exec(dockerfile)?.[1] ?? '';
    if (!organization.images.includes(image)) {
      return api(400, `Failed to build: manifest for image ${image} not found`);
    }
  } else {
    if (cpu !== undefined || memory !== undefined || disk !== undefined) {
      return api(400, 'Cannot specify Sandbox resources when using a snapshot');
    }
    if (snapshot !== undefined && !organization.snapshots.includes(String(snapshot))) {
      return api(404, `Snapshot ${String(snapshot)} not found. Did you add it through the Daytona Dashboard?`);
    }
  }
  return null;
}

/** All that a create may name; the service refuses what it does not know. */
const CREATE_FIELDS: ReadonlySet<string> = new Set(
  [
    'name snapshot buildInfo user env labels public target cpu gpu gpuType spot memory disk volumes secrets',
    'autoStopInterval autoPauseInterval autoArchiveInterval autoDeleteInterval ttlMinutes linkedSandbox',
    'networkBlockAll networkAllowList domainAllowList outboundProxyUrl otelEndpointOverride',
  ].flatMap((names) => names.split(' ')),
);
