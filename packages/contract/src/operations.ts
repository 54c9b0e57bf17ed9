import type { Contract } from './index.ts';

/** Where the operations of the contract are asked. Generated from packages/contract/src by make generate. */
export const OPERATIONS = {
  system: {
    info: 'GET /server',
    search: 'GET /search',
  },
  access: {
    signIn: 'POST /auth/sign-in',
    signInByLink: 'POST /auth/sign-in/link',
    signOut: 'POST /auth/sign-out',
    lookAtInvite: 'POST /invites/look',
    acceptInvite: 'POST /invites/accept',
    me: 'GET /users/me',
    updateMe: 'PATCH /users/me',
    setPassword: 'POST /users/me/password',
    signOutEverywhere: 'POST /users/me/sign-out-everywhere',
    listApiKeys: 'GET /api-keys',
    createApiKey: 'POST /api-keys',
    removeApiKey: 'DELETE /api-keys/{id}',
    listDevices: 'GET /devices',
    removeDevice: 'DELETE /devices/{id}',
    lookAtDevice: 'GET /device-requests/{userCode}',
    decideDevice: 'POST /device-requests/{userCode}',
    listPeople: 'GET /users',
    updatePerson: 'PATCH /users/{id}',
    createSignInLink: 'POST /users/{id}/sign-in-link',
    listInvites: 'GET /invites',
    createInvite: 'POST /invites',
    removeInvite: 'DELETE /invites/{id}',
    listPlans: 'GET /plans',
    putPlan: 'PUT /plans/{id}',
  },
  profiles: {
    list: 'GET /profiles',
    get: 'GET /profiles/{name}',
    create: 'POST /profiles',
    update: 'PATCH /profiles/{name}',
    remove: 'DELETE /profiles/{name}',
    makeDefault: 'POST /profiles/{name}/default',
    test: 'POST /profiles/{name}/test',
    drivers: 'GET /driver-types',
  },
  drivers: {
    list: 'GET /drivers',
    get: 'GET /drivers/{name}',
    create: 'POST /drivers',
    update: 'PUT /drivers/{name}',
    remove: 'DELETE /drivers/{name}',
    makeDefault: 'POST /drivers/{name}/activate',
  },
  credentials: {
    list: 'GET /credentials',
    create: 'POST /credentials',
    remove: 'DELETE /credentials/{name}',
  },
  jobs: {
    create: 'POST /jobs',
    list: 'GET /jobs',
    get: 'GET /jobs/{id}',
    cancel: 'POST /jobs/{id}/cancel',
    retry: 'POST /jobs/{id}/retry',
    artifacts: 'GET /jobs/{id}/artifacts',
    agents: 'GET /agents',
  },
  activity: {
    list: 'GET /devops/activity',
    get: 'GET /devops/activity/{id}',
    start: 'POST /devops/activity',
    publish: 'POST /devops/activity/{id}/messages',
  },
  kubernetes: {
    health: 'GET /k8s/health',
    nodes: 'GET /k8s/nodes',
    pods: 'GET /k8s/pods',
    pod: 'GET /k8s/pods/{namespace}/{name}',
  },
} as const satisfies { [Group in keyof Contract]: Record<keyof Contract[Group], string> };

/** The same of those where bytes matter. */
export const RAW_OPERATIONS = {
  jobs: {
    log: 'GET /jobs/{id}/logs',
    diff: 'GET /jobs/{id}/artifacts/diff',
    artifact: 'GET /jobs/{id}/artifacts/{+name}',
    upload: 'POST /uploads',
  },
  system: {
    events: 'GET /events',
    openapi: 'GET /openapi.json',
  },
  activity: {
    events: 'GET /devops/activity/events',
  },
  kubernetes: {
    live: 'GET /k8s/live',
    podLog: 'GET /k8s/pods/{namespace}/{name}/log',
  },
  access: {
    authorizeDevice: 'POST /auth/device',
    token: 'POST /auth/token',
    refresh: 'POST /auth/refresh',
    revoke: 'POST /auth/revoke',
    keys: 'GET /auth/jwks.json',
  },
} as const;

/** What may be sent again when an answer got lost, besides every GET. key: with the header Idempotency-Key. */
export const IDEMPOTENT: Readonly<Record<string, true | 'key'>> = {
  'POST /invites/look': true,
  'PATCH /users/me': true,
  'DELETE /api-keys/{id}': true,
  'DELETE /devices/{id}': true,
  'PATCH /users/{id}': true,
  'DELETE /invites/{id}': true,
  'PUT /plans/{id}': true,
  'PATCH /profiles/{name}': true,
  'DELETE /profiles/{name}': true,
  'POST /profiles/{name}/default': true,
  'PUT /drivers/{name}': true,
  'DELETE /drivers/{name}': true,
  'POST /drivers/{name}/activate': true,
  'DELETE /credentials/{name}': true,
  'POST /jobs': 'key',
  'POST /jobs/{id}/cancel': true,
  'POST /jobs/{id}/retry': 'key',
  'POST /devops/activity/{id}/messages': true,
  'POST /uploads': true,
  'POST /auth/revoke': true,
};

/** The same on the command line, after its name; see commandWords. */
export const COMMANDS = {
  'GET /search': 'search {q}',
  'GET /users/me': 'cloud whoami',
  'GET /api-keys': 'keys list',
  'DELETE /api-keys/{id}': 'keys remove {id} --yes',
  'GET /users': 'people list',
  'PATCH /users/{id}':
    'people update {id} [--role {role}] [--plan {planId}] [--disable {disabled=true}] [--enable {disabled=false}]',
  'POST /users/{id}/sign-in-link': 'people sign-in-link {id}',
  'GET /invites': 'invites list',
  'POST /invites': 'invites create [--role {role}]',
  'DELETE /invites/{id}': 'invites remove {id}',
  'GET /plans': 'plans list',
  'GET /profiles': 'profiles list',
  'GET /profiles/{name}': 'profiles show {name}',
  'DELETE /profiles/{name}': 'profiles remove {name} --yes',
  'POST /profiles/{name}/default': 'profiles default {name}',
  'POST /profiles/{name}/test': 'profiles test {name}',
  'GET /driver-types': 'profiles drivers',
  'GET /credentials': 'cloud credentials list',
  'POST /credentials': 'cloud credentials add {name} [--kind {kind}] [--host {host}] [--username {username}]',
  'DELETE /credentials/{name}': 'cloud credentials remove {name}',
  'POST /jobs':
    'run --cloud --spec spec.md [--repo {repo.url}] [--ref {repo.ref}] [--title {title}] [--agent {agent}] [--on {profile}] [--credential {credential}] [--image {image}] [--timeout {timeoutSeconds}] [--cpus {resources.cpus}] [--memory {resources.memoryBytes}] [--env {env}] [--group {group}]',
  'GET /jobs':
    'jobs [--state {state}] [--all {mine=false}] [--search {search}] [--agent {agent}] [--on {profile}] [--repo {repo}] [--group {group}] [--limit {limit}] [--cursor {cursor}]',
  'GET /jobs/{id}': 'status {id}',
  'POST /jobs/{id}/cancel': 'cancel {id}',
  'POST /jobs/{id}/retry': 'retry {id}',
  'GET /jobs/{id}/artifacts': 'artifacts list {id}',
  'GET /agents': 'agents',
  'GET /devops/activity': 'activity [--status {status}] [--actor {actor}] [--about {correlationId}] [--limit {limit}]',
  'POST /devops/activity': 'activity start {operation} [--step {steps}] [--about {correlationId}] [--link {link}]',
  'GET /k8s/health': 'k8s health [--context {context}]',
  'GET /k8s/nodes': 'k8s nodes [--context {context}]',
  'GET /k8s/pods':
    'k8s pods [--status {status}] [--namespace {namespace}] [--node {nodeName}] [--search {search}] [--sort {sort}] [--context {context}] [--reverse]',
  'GET /k8s/pods/{namespace}/{name}': 'k8s pod {namespace} {name} [--context {context}]',
  'GET /jobs/{id}/logs': 'logs {id} [--follow] [--since {since}] [--grep {grep}] [--stream {stream}] [--tail {tail}]',
  'GET /jobs/{id}/artifacts/diff': 'pull {id}',
  'GET /jobs/{id}/artifacts/{+name}': 'artifacts download {id} {name}',
  'GET /k8s/pods/{namespace}/{name}/log':
    'k8s logs {namespace} {name} [--container {container}] [--previous] [--tail {tail}] [--follow] [--context {context}]',
  'POST /auth/device': 'cloud login',
  'POST /auth/revoke': 'cloud logout',
} as const;
