import type { LoadedCommand } from './command.ts';

/** A command by its name; everything else about it is loaded when it is needed. */
export interface Leaf {
  readonly brief: string;
  readonly load: () => Promise<LoadedCommand>;
}
export interface Group {
  readonly brief: string;
  readonly routes: Readonly<Record<string, Leaf | Group>>;
  /** The command meant when none is named. */
  readonly fallback?: string;
}

export const isGroup = (node: Leaf | Group): node is Group => 'routes' in node;

const leaf = (brief: string, load: () => Promise<{ command: LoadedCommand }>): Leaf => ({
  brief,
  load: async () => (await load()).command,
});
const group = (brief: string, routes: Group['routes'], fallback?: string): Group => ({
  brief,
  routes,
  ...(fallback === undefined ? {} : { fallback }),
});

/** Every command there is, in the order help shows them: the main job first. */
export const ROOT: Group = group('Jobs on remote compute: send a repository and a spec, get a diff back', {
  run: leaf('Send a repository and a spec to an agent, or run it here', () => import('./commands/jobs/run.ts')),
  status: leaf('Where a job stands, and why', () => import('./commands/jobs/status.ts')),
  logs: leaf('What a job prints, live or afterwards', () => import('./commands/jobs/logs.ts')),
  pull: leaf('Apply the diff of a job to this checkout', () => import('./commands/jobs/pull.ts')),
  compare: leaf('Set jobs side by side: time, cost, and what each changed', () => import('./commands/jobs/compare.ts')),
  jobs: leaf('List jobs', () => import('./commands/jobs/list.ts')),
  cancel: leaf('Cancel a job; its partial diff is kept', () => import('./commands/jobs/cancel.ts')),
  retry: leaf('Send the same job again', () => import('./commands/jobs/retry.ts')),
  artifacts: group(
    'Files a job left behind',
    {
      list: leaf('List the artifacts of a job', () => import('./commands/artifacts/list.ts')),
      download: leaf('Download an artifact', () => import('./commands/artifacts/download.ts')),
    },
    'list',
  ),
  sandbox: group(
    'Machines to run commands in',
    {
      open: leaf('Open a sandbox: a machine to run commands in', () => import('./commands/sandboxes/open.ts')),
      exec: leaf('Execute a command in a sandbox, as ssh does', () => import('./commands/sandboxes/exec.ts')),
      shell: leaf('A shell in a sandbox, in this terminal', () => import('./commands/sandboxes/shell.ts')),
      attach: leaf(
        'Go on with an execution: all it prints, and its exit code',
        () => import('./commands/sandboxes/attach.ts'),
      ),
      list: leaf('List sandboxes', () => import('./commands/sandboxes/list.ts')),
      show: leaf('A sandbox with its limits and what was executed in it', () => import('./commands/sandboxes/show.ts')),
      pause: leaf(
        'Pause a sandbox: its machine is kept, and what runs in it stands still',
        () => import('./commands/sandboxes/pause.ts'),
      ),
      resume: leaf('Let a paused sandbox go on', () => import('./commands/sandboxes/resume.ts')),
      close: leaf(
        'Close sandboxes; their machines go with all that is on them',
        () => import('./commands/sandboxes/close.ts'),
      ),
    },
    'show',
  ),
  cp: leaf('Copy files between this machine and a sandbox', () => import('./commands/sandboxes/cp.ts')),
  cloud: group('Sign in, and what the server keeps for you', {
    login: leaf('Sign in to a server', () => import('./commands/cloud/login.ts')),
    logout: leaf('Sign out, here and on the server', () => import('./commands/cloud/logout.ts')),
    whoami: leaf('Who you are, on which server, and what you may use', () => import('./commands/cloud/whoami.ts')),
    credentials: group(
      'Git tokens and SSH keys for private repositories',
      {
        add: leaf('Keep a git token or SSH key', () => import('./commands/credentials/add.ts')),
        list: leaf('List names and kinds', () => import('./commands/credentials/list.ts')),
        remove: leaf('Remove a credential', () => import('./commands/credentials/remove.ts')),
      },
      'list',
    ),
  }),
  profiles: group(
    'Named ways to reach compute',
    {
      list: leaf('List profiles', () => import('./commands/profiles/list.ts')),
      show: leaf('Settings and limits of a profile', () => import('./commands/profiles/show.ts')),
      create: leaf('Make a profile', () => import('./commands/profiles/create.ts')),
      update: leaf('Change settings, keys or limits', () => import('./commands/profiles/update.ts')),
      default: leaf('Make a profile the default', () => import('./commands/profiles/default.ts')),
      test: leaf('Prove that a profile works', () => import('./commands/profiles/test.ts')),
      remove: leaf('Remove a profile', () => import('./commands/profiles/remove.ts')),
      import: group('Make a profile from what other tools know', {
        ssh: leaf('From a host of ~/.ssh/config', () => import('./commands/profiles/import/ssh.ts')),
        docker: leaf('From a context of Docker (admin)', () => import('./commands/profiles/import/docker.ts')),
        e2b: leaf('From the variables of E2B', () => import('./commands/profiles/import/e2b.ts')),
        daytona: leaf('From the variables of Daytona', () => import('./commands/profiles/import/daytona.ts')),
      }),
      drivers: leaf('Drivers and what they can do on this server', () => import('./commands/profiles/drivers.ts')),
    },
    'list',
  ),
  agents: leaf('Agents a job can name', () => import('./commands/jobs/agents.ts')),
  activity: group(
    'What is being done now and was done lately',
    {
      list: leaf('List activities', () => import('./commands/activity/list.ts')),
      start: leaf('Say that something begins', () => import('./commands/activity/start.ts')),
      step: leaf('Say how a step goes', () => import('./commands/activity/step.ts')),
      complete: leaf('Say that it is done', () => import('./commands/activity/complete.ts')),
      fail: leaf('Say that it failed', () => import('./commands/activity/fail.ts')),
    },
    'list',
  ),
  k8s: group(
    'The Kubernetes cluster beneath (admin)',
    {
      health: leaf('Whether a cluster is connected, and how it is', () => import('./commands/k8s/health.ts')),
      nodes: leaf('Nodes with what they have and what is taken', () => import('./commands/k8s/nodes.ts')),
      pods: leaf('Pods, those that wait or fail first', () => import('./commands/k8s/pods.ts')),
      pod: leaf('A pod with its containers and events', () => import('./commands/k8s/pod.ts')),
      logs: leaf('What a container prints, live or its last lines', () => import('./commands/k8s/logs.ts')),
    },
    'health',
  ),
  search: leaf('Find anything of yours by id or name', () => import('./commands/jobs/search.ts')),
  keys: group(
    'API keys for machines',
    {
      list: leaf('List your API keys', () => import('./commands/access/keys-list.ts')),
      remove: leaf('Revoke an API key', () => import('./commands/access/keys-remove.ts')),
    },
    'list',
  ),
  people: group(
    'People of this server (admin)',
    {
      list: leaf('List people', () => import('./commands/access/people-list.ts')),
      update: leaf('Change role, plan or access', () => import('./commands/access/people-update.ts')),
      'sign-in-link': leaf('Make a one-time sign-in link', () => import('./commands/access/people-link.ts')),
    },
    'list',
  ),
  invites: group(
    'Invitations to this server (admin)',
    {
      list: leaf('List open invitations', () => import('./commands/access/invites-list.ts')),
      create: leaf('Invite a person', () => import('./commands/access/invites-create.ts')),
      remove: leaf('Take an invitation back', () => import('./commands/access/invites-remove.ts')),
    },
    'list',
  ),
  plans: group(
    'What people may use',
    {
      list: leaf('List plans', () => import('./commands/access/plans-list.ts')),
      put: leaf('Make or change a plan (admin)', () => import('./commands/access/plans-put.ts')),
    },
    'list',
  ),
  server: group('Run a server from this checkout', {
    start: leaf('Run the server', () => import('./commands/server/start.ts')),
    'admin-key': leaf('Print a fresh API key of the first admin', () => import('./commands/server/admin-key.ts')),
    'sign-in-link': leaf(
      'Print a one-time sign-in link of the first admin',
      () => import('./commands/server/sign-in-link.ts'),
    ),
    backup: leaf('Back up the server into one file', () => import('./commands/server/backup.ts')),
    restore: leaf(
      'Bring a backup to an empty data directory or database',
      () => import('./commands/server/restore.ts'),
    ),
    'rotate-key': leaf(
      'Change the master key and seal every secret anew',
      () => import('./commands/server/rotate-key.ts'),
    ),
  }),
  completion: leaf('Print a completion script for bash, zsh or fish', () => import('./commands/help/completion.ts')),
  help: group('More to read', {
    'exit-codes': leaf('What each exit code means', () => import('./commands/help/exit-codes.ts')),
    environment: leaf('Variables and files the command line uses', () => import('./commands/help/environment.ts')),
    agents: leaf('Agents, and how a spec reaches them', () => import('./commands/help/agents.ts')),
  }),
});

export const isHelpTopic = (word: string): boolean => {
  const { help } = ROOT.routes;
  return help !== undefined && isGroup(help) && Object.hasOwn(help.routes, word);
};

export interface Place {
  readonly path: readonly string[];
  readonly node: Leaf | Group;
  readonly rest: readonly string[];
}

/** Follows words down to a command, or as far as they lead. */
export function walk(root: Group, words: readonly string[]): Place {
  let node: Leaf | Group = root;
  let depth = 0;
  for (const word of words) {
    const below: Leaf | Group | undefined =
      isGroup(node) && Object.hasOwn(node.routes, word) ? node.routes[word] : undefined;
    if (below === undefined) break;
    node = below;
    depth += 1;
  }
  return { path: words.slice(0, depth), node, rest: words.slice(depth) };
}
