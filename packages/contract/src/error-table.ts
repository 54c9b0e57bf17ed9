/** The one error table: code → kind, message, way out. Kinds fix HTTP status and CLI exit code everywhere. */

export const ERROR_KINDS = {
  invalid: { status: 400, exitCode: 2 },
  unauthenticated: { status: 401, exitCode: 3 },
  forbidden: { status: 403, exitCode: 3 },
  not_found: { status: 404, exitCode: 2 },
  conflict: { status: 409, exitCode: 2 },
  limit: { status: 429, exitCode: 2 },
  unavailable: { status: 503, exitCode: 4 },
  internal: { status: 500, exitCode: 1 },
} as const;

export type ErrorKind = keyof typeof ERROR_KINDS;

export interface ErrorEntry {
  readonly kind: ErrorKind;
  /** What happened, in the reader's words. A thrower may replace it with something more exact. */
  readonly message: string;
  /** What to do next. */
  readonly wayOut: string;
  /** Only where it differs from the status of the kind. */
  readonly status?: number;
}

export const ERRORS = {
  // Requests
  bad_request: {
    kind: 'invalid',
    message: 'The request is not understood.',
    wayOut: 'See /docs for what this route takes.',
  },
  validation_failed: {
    kind: 'invalid',
    message: 'Some fields are not right.',
    wayOut: 'Correct the fields named in details and send again.',
  },
  body_too_large: {
    kind: 'invalid',
    status: 413,
    message: 'The body is too large.',
    wayOut: 'Send less; the limit is in the message.',
  },
  route_not_found: {
    kind: 'not_found',
    message: 'There is no such route.',
    wayOut: 'See /docs for the routes there are.',
  },
  not_found: { kind: 'not_found', message: 'There is no such thing, or it is not yours.', wayOut: 'Check the id.' },
  rate_limited: {
    kind: 'limit',
    message: 'Too many requests.',
    wayOut: 'Wait as long as Retry-After says, then try again.',
  },
  internal: {
    kind: 'internal',
    message: 'Something went wrong on the server.',
    wayOut: 'Give the reference to whoever runs this server: it is in the server log.',
  },

  // Access
  not_signed_in: { kind: 'unauthenticated', message: 'You are not signed in.', wayOut: 'Run: hangar cloud login' },
  token_expired: { kind: 'unauthenticated', message: 'The sign-in has expired.', wayOut: 'Run: hangar cloud login' },
  wrong_password: {
    kind: 'unauthenticated',
    message: 'Email or password is wrong.',
    wayOut: 'Try again, or ask an admin for a new sign-in link.',
  },
  sign_in_link_used: {
    kind: 'unauthenticated',
    message: 'This sign-in link was used or has expired.',
    wayOut: 'On the server run: hangar server sign-in-link',
  },
  account_disabled: { kind: 'forbidden', message: 'This account is disabled.', wayOut: 'Ask an admin of this server.' },
  admin_only: { kind: 'forbidden', message: 'Only an admin may do this.', wayOut: 'Ask an admin of this server.' },
  session_only: {
    kind: 'forbidden',
    message: 'This needs a person signed in to the browser.',
    wayOut: 'Open the page in a browser and sign in.',
  },
  wrong_identity: {
    kind: 'forbidden',
    message: 'This kind of token may not use this route.',
    wayOut: 'Sign in as a person or use an API key.',
  },
  csrf_refused: {
    kind: 'forbidden',
    message: 'The request does not come from this site.',
    wayOut: 'Open the page on this server and try again.',
  },
  invite_invalid: {
    kind: 'invalid',
    message: 'This invitation was used, taken back or has expired.',
    wayOut: 'Ask an admin for a new invitation.',
  },
  email_taken: {
    kind: 'conflict',
    message: 'There is already a person with this email.',
    wayOut: 'Sign in, or use another email.',
  },
  last_admin: { kind: 'conflict', message: 'This is the last admin.', wayOut: 'Make somebody else an admin first.' },
  user_not_found: {
    kind: 'not_found',
    message: 'There is no such person.',
    wayOut: 'See the list of people in Settings.',
  },
  api_key_not_found: {
    kind: 'not_found',
    message: 'There is no such API key.',
    wayOut: 'See the list of API keys in Settings.',
  },
  device_not_found: {
    kind: 'not_found',
    message: 'There is no sign-in waiting with this code.',
    wayOut: 'Check the code in your terminal; codes expire after 10 minutes.',
  },
  plan_not_found: {
    kind: 'not_found',
    message: 'There is no such plan.',
    wayOut: 'See the list of plans in Settings.',
  },

  // Credentials
  credential_not_found: {
    kind: 'not_found',
    message: 'There is no such credential.',
    wayOut: 'See: hangar cloud credentials list',
  },
  credential_exists: {
    kind: 'conflict',
    message: 'There is already a credential with this name.',
    wayOut: 'Remove it first: hangar cloud credentials remove NAME',
  },

  // Profiles
  profile_not_found: { kind: 'not_found', message: 'There is no such profile.', wayOut: 'See: hangar profiles list' },
  profile_exists: {
    kind: 'conflict',
    message: 'There is already a profile with this name.',
    wayOut: 'Choose another name.',
  },
  profile_in_use: {
    kind: 'conflict',
    message: 'Jobs still wait or run on this profile.',
    wayOut: 'Wait for them or cancel them first.',
  },
  profile_is_default: {
    kind: 'conflict',
    message: 'This is the default profile.',
    wayOut: 'Make another profile the default first.',
  },
  profile_host_refused: {
    kind: 'invalid',
    message:
      'A personal profile may not reach the machine of the server itself, its network link or metadata services.',
    wayOut: 'Name another host, or ask an admin of this server for HANGAR_ALLOW_LOCAL_HOSTS=true.',
  },
  profile_secret_missing: {
    kind: 'unavailable',
    status: 424,
    message: 'The secret settings of this profile are not where they were put.',
    wayOut: 'Set them again: hangar profiles update NAME --key FILE',
  },
  driver_unknown: { kind: 'invalid', message: 'There is no such driver.', wayOut: 'See: hangar profiles drivers' },
  driver_unavailable: {
    kind: 'unavailable',
    status: 424,
    message: 'The driver cannot reach what it drives.',
    wayOut: 'Run: hangar profiles test NAME',
  },
  driver_auth_failed: {
    kind: 'unavailable',
    status: 424,
    message: 'The driver was not let in.',
    wayOut: 'Check the key or token of the profile. Run: hangar profiles test NAME',
  },
  driver_busy: {
    kind: 'unavailable',
    status: 424,
    message: 'What the driver reaches asks to be called less often.',
    wayOut: 'Wait a moment and try again.',
  },
  driver_quota: {
    kind: 'limit',
    message: 'The account that the profile uses may not have more.',
    wayOut: 'Close what is no longer needed, or raise the limit there.',
  },
  host_key_changed: {
    kind: 'unavailable',
    status: 424,
    message:
      'The machine shows another host key than the one that is known: it is another machine, or somebody is in between.',
    wayOut: 'When it was made anew: hangar profiles update NAME --forget-host-key',
  },
  unsupported: {
    kind: 'invalid',
    message: 'The driver of this profile cannot do that.',
    wayOut: 'See what it can: hangar profiles drivers',
  },
  cluster_not_connected: {
    kind: 'unavailable',
    status: 424,
    message: 'This server is not connected to a Kubernetes cluster.',
    wayOut: 'Set KUBECONFIG to a kubeconfig where the server runs, or run Hangar in the cluster.',
  },

  // Sandboxes
  sandbox_not_found: {
    kind: 'not_found',
    message: 'There is no such sandbox.',
    wayOut: 'See: hangar sandbox list',
  },
  sandbox_closed: {
    kind: 'conflict',
    message: 'The sandbox is closed.',
    wayOut: 'Open another one: hangar sandbox open',
  },
  sandbox_gone: {
    kind: 'unavailable',
    status: 424,
    message: 'The machine of the sandbox is gone.',
    wayOut: 'Open another one: hangar sandbox open',
  },
  sandbox_paused: {
    kind: 'conflict',
    message: 'The machine of the sandbox is paused.',
    wayOut: 'Resume it, then try again.',
  },
  sandbox_not_ready: {
    kind: 'unavailable',
    message: 'The machine of the sandbox does not run yet.',
    wayOut: 'See what it waits for: hangar sandbox show ID',
  },
  tree_not_prepared: {
    kind: 'unavailable',
    message: 'The files of the job could not be laid out in the sandbox.',
    wayOut: 'Open it again: hangar sandbox open --job ID',
  },
  diff_not_made: {
    kind: 'unavailable',
    message: 'The diff of the work tree could not be made in the sandbox.',
    wayOut: 'Look at it there: hangar sandbox shell ID, then git status. Then make it again.',
  },
  git_tree_missing: {
    kind: 'not_found',
    message: 'There is no git work tree in that folder of the sandbox.',
    wayOut: 'Say where one is: hangar sandbox diff ID --path FOLDER',
  },
  diff_expired: {
    kind: 'not_found',
    message: 'This diff is not kept in the sandbox any more.',
    wayOut: 'Make it again: hangar sandbox diff ID',
  },
  connection_lost: {
    kind: 'unavailable',
    status: 424,
    message: 'The connection to the machine broke.',
    wayOut: 'What runs there goes on. Try again in a moment.',
  },
  terminal_missing: {
    kind: 'conflict',
    message: 'The execution has no terminal.',
    wayOut: 'Open a shell: hangar sandbox shell ID. What others print is shown by hangar sandbox attach.',
  },
  websocket_needed: {
    kind: 'invalid',
    status: 426,
    message: 'This route is a WebSocket.',
    wayOut:
      'Ask for it with Upgrade: websocket and the subprotocol of its description in /docs, or with the command line.',
  },
  execution_ended: {
    kind: 'conflict',
    message: 'The execution has ended.',
    wayOut: 'Start another one.',
  },
  execution_running: {
    kind: 'conflict',
    message: 'The execution still runs.',
    wayOut: 'Cancel it first.',
  },
  input_missing: {
    kind: 'conflict',
    message: 'Input before that position has not arrived.',
    wayOut: 'Send it again from where it was last told to be.',
  },
  input_closed: {
    kind: 'conflict',
    message: 'The input of the execution is at its end.',
    wayOut: 'Start one whose input is open.',
  },
  execution_not_found: {
    kind: 'not_found',
    message: 'There is no such execution.',
    wayOut: 'See: hangar sandbox show ID',
  },
  execution_not_started: {
    kind: 'invalid',
    message: 'The command could not be started.',
    wayOut: 'Check the name of the program and the folder: they are looked for in the sandbox.',
  },
  execution_lost: {
    kind: 'unavailable',
    status: 424,
    message: 'How the command ended is not known.',
    wayOut:
      'The sandbox is there, and what is left of it may still run: look with hangar sandbox exec ID -- ps, then start it again.',
  },
  command_too_long: {
    kind: 'invalid',
    message: 'An argument of the command is longer than the machine takes.',
    wayOut: 'Send it as a file: hangar cp, or on standard input: hangar sandbox exec ID -- sh < script.sh',
  },
  output_truncated: {
    kind: 'limit',
    message: 'The command printed more than is kept.',
    wayOut: 'Let it print less, or write to a file in the sandbox and take that.',
  },
  file_not_found: {
    kind: 'not_found',
    message: 'There is no such file or folder.',
    wayOut: 'Check the path.',
  },
  file_forbidden: {
    kind: 'forbidden',
    message: 'The account of the machine may not do that with this file or folder.',
    wayOut: 'Choose another path, or change its owner or mode there.',
  },
  path_in_the_way: {
    kind: 'conflict',
    message: 'Something else is at that path.',
    wayOut: 'Remove it first, or choose another path.',
  },
  tar_refused: {
    kind: 'invalid',
    message: 'The archive has entries that lead out of its folder.',
    wayOut: 'Make it of files, folders and links below one folder, with relative names.',
  },
  tar_invalid: {
    kind: 'invalid',
    message: 'This is no whole tar archive.',
    wayOut: 'Send it again, uncompressed.',
  },
  file_failed: {
    kind: 'unavailable',
    status: 424,
    message: 'The machine could not do that with its files.',
    wayOut: 'The message is what its own tools said.',
  },

  // Jobs
  job_not_found: { kind: 'not_found', message: 'There is no such job.', wayOut: 'See: hangar jobs' },
  job_ended: { kind: 'conflict', message: 'The job has already ended.', wayOut: 'Use: hangar retry ID' },
  job_not_ended: {
    kind: 'conflict',
    message: 'The job has not ended yet.',
    wayOut: 'Wait for it, or cancel it: hangar cancel ID',
  },
  spec_empty: {
    kind: 'invalid',
    message: 'The spec is empty.',
    wayOut: 'Write what the agent should do into the spec.',
  },
  spec_too_large: {
    kind: 'invalid',
    message: 'The spec is larger than 1 MiB.',
    wayOut: 'Put large material into the repository and refer to it.',
  },
  spec_front_matter: {
    kind: 'invalid',
    message: 'The front matter of the spec is not right.',
    wayOut: 'Front matter is YAML between two lines of ---, with agent, image, timeout, env, resources.',
  },
  spec_no_commands: {
    kind: 'invalid',
    message: 'The spec has no fenced sh block, so agent shell has nothing to run.',
    wayOut: 'Add a ```sh block, or choose another agent.',
  },
  agent_unknown: {
    kind: 'invalid',
    message: 'There is no such agent.',
    wayOut: 'See: hangar help agents. A command in quotes works too: --agent "make fix".',
  },
  repo_required: {
    kind: 'invalid',
    message: 'There is no repository to work on.',
    wayOut: 'Run this in a git checkout, or name one with --repo URL.',
  },
  repo_url_invalid: {
    kind: 'invalid',
    message: 'The repository URL is not one Hangar can clone.',
    wayOut: 'Use https://, http://, ssh:// or git@host:path.',
  },
  repo_url_refused: {
    kind: 'forbidden',
    message:
      'The repository is on the machine of the worker itself or on its network link; jobs are not cloned from there.',
    wayOut:
      'Send the checkout itself (hangar run --cloud --bundle), or ask an admin to start the server with HANGAR_ALLOW_LOCAL_REPOS=true.',
  },
  repo_ref_invalid: {
    kind: 'invalid',
    message: 'The ref is not a valid git ref name.',
    wayOut: 'Name a branch, a tag or a commit.',
  },
  env_invalid: {
    kind: 'invalid',
    message: 'An environment variable has a name that cannot be used.',
    wayOut: 'Names are letters, digits and _, and do not begin with HANGAR_ or GIT_.',
  },
  env_too_large: {
    kind: 'invalid',
    status: 413,
    message: 'The environment of the job is too large.',
    wayOut: 'Give fewer or shorter variables; put large material into the repository, or let the agent fetch it.',
  },
  idempotency_conflict: {
    kind: 'conflict',
    message: 'This idempotency key was used for a different job.',
    wayOut: 'Use a new key for a new job.',
  },
  upload_not_found: {
    kind: 'invalid',
    message: 'The upload is not there or has expired.',
    wayOut: 'Send the bundle again.',
  },
  quota_jobs: {
    kind: 'limit',
    message: 'Your plan has no place for another waiting job.',
    wayOut: 'Wait for jobs to end, or ask an admin for a larger plan.',
  },
  quota_minutes: {
    kind: 'limit',
    status: 402,
    message: 'The minutes of this month are used up.',
    wayOut: 'Ask an admin for a larger plan, or wait for the next month.',
  },
  quota_terminals: {
    kind: 'limit',
    message: 'The terminal has no place for another who looks.',
    wayOut: 'Close it somewhere else, then try again.',
  },
  quota_executions: {
    kind: 'limit',
    message: 'The sandbox has no place for another execution.',
    wayOut: 'Wait for some of them to end, or cancel them; hangar sandbox show ID lists them.',
  },
  quota_artifacts: {
    kind: 'limit',
    status: 402,
    message: 'The artifact is larger than your plan allows.',
    wayOut: 'Leave fewer or smaller files, or ask an admin for a larger plan.',
  },
  quota_uploads: {
    kind: 'limit',
    status: 402,
    message: 'What you have sent and no job has used takes all the room there is for you.',
    wayOut: 'Start the jobs it was sent for, or wait until the oldest is removed.',
  },
  timeout_too_long: {
    kind: 'invalid',
    message: 'The timeout is longer than your plan allows.',
    wayOut: 'Choose a shorter timeout.',
  },
  artifact_not_found: { kind: 'not_found', message: 'There is no such artifact.', wayOut: 'See: hangar artifacts ID' },
  artifact_removed: {
    kind: 'not_found',
    status: 410,
    message: 'The artifact was removed: its time was over.',
    wayOut: 'Your plan says how long they are kept. Send the job again: hangar retry ID',
  },
  log_removed: {
    kind: 'not_found',
    status: 410,
    message: 'The log was removed: its time was over.',
    wayOut: 'Your plan says how long logs are kept.',
  },
  diff_not_found: { kind: 'not_found', message: 'The job has left no diff.', wayOut: 'See why: hangar status ID' },

  // How a job fails (shown as its failure, also thrown by a local run)
  repo_not_found: {
    kind: 'not_found',
    message: 'The repository was not found.',
    wayOut: 'Check the URL; a private repository needs --credential NAME.',
  },
  repo_auth_failed: {
    kind: 'invalid',
    message: 'The git server refused the credential.',
    wayOut:
      'Add a credential: hangar cloud credentials add NAME, then --credential NAME; or send a checkout whole: hangar run --cloud --bundle',
  },
  repo_unreachable: {
    kind: 'unavailable',
    status: 424,
    message: 'The git server cannot be reached from the worker.',
    wayOut: 'Check the host name and the network of the profile.',
  },
  cloning_too_long: {
    kind: 'unavailable',
    status: 424,
    message: 'The repository was not there within two hours.',
    wayOut: 'Look for a slow git server or network: hangar logs ID. Less history or a smaller repository helps.',
  },
  ref_not_found: {
    kind: 'not_found',
    message: 'The repository has no such ref.',
    wayOut: 'Check --ref: a branch, a tag or a full commit id.',
  },
  bundle_invalid: {
    kind: 'invalid',
    message: 'The bundle or patch of your checkout could not be applied.',
    wayOut: 'Send the job again from a checkout that is not being changed.',
  },
  agent_missing: {
    kind: 'invalid',
    message: 'The agent program is not there where the job runs.',
    wayOut: 'Install it there, or choose an image that has it.',
  },
  agent_env_missing: {
    kind: 'invalid',
    message: 'The agent needs an environment variable that is not set.',
    wayOut: 'Give it with --env NAME=VALUE.',
  },
  agent_auth_failed: {
    kind: 'invalid',
    message: "The model did not accept the agent's key.",
    wayOut: 'Check the key and the address it is for, and send the job again with: --env NAME=VALUE',
  },
  agent_failed: {
    kind: 'invalid',
    message: 'The agent ended with an error.',
    wayOut: 'Read the end of the log: hangar logs ID --tail 50',
  },
  out_of_memory: { kind: 'limit', message: 'The job ran out of memory.', wayOut: 'Give it more: --memory 4g' },
  worktree_gone: {
    kind: 'invalid',
    message: 'The agent removed the work tree, so there is no diff.',
    wayOut: 'Read the log; the last partial diff is kept if there was one.',
  },
  image_not_found: {
    kind: 'not_found',
    message: 'The image was not found.',
    wayOut: 'Check --image: the machine or cluster that runs the job must have it, or be able to pull it.',
  },
  image_unsuitable: {
    kind: 'invalid',
    message: 'The image cannot run the worker.',
    wayOut: 'Use an image with glibc and git.',
  },
  unschedulable: {
    kind: 'unavailable',
    status: 424,
    message: 'No node of the cluster can take the job.',
    wayOut:
      'Ask for less with --cpus and --memory, add a node, or change the selectors and tolerations of the job template.',
  },
  quota_refused: {
    kind: 'unavailable',
    status: 424,
    message: 'A quota of the namespace refuses the job.',
    wayOut: 'Wait for other jobs to end, ask for less, or have the ResourceQuota of the namespace raised.',
  },
  admission_refused: {
    kind: 'unavailable',
    status: 424,
    message: 'A rule of the cluster refuses the job.',
    wayOut:
      'Change the job template to what the rule asks for, or have the rule changed. Run: hangar profiles test NAME',
  },
  cluster_forbidden: {
    kind: 'unavailable',
    status: 424,
    message: 'The cluster does not allow this server to do that.',
    wayOut: 'Give its account the rights of deploy/k8s. Run: hangar profiles test NAME',
  },
  job_template_invalid: {
    kind: 'invalid',
    message: 'The job template is not right.',
    wayOut: 'Correct it; deploy/k8s/job-template.yaml says what it may hold. Run: hangar profiles test NAME',
  },
  launch_failed: {
    kind: 'unavailable',
    status: 424,
    message: 'The job could not be started.',
    wayOut: 'Run: hangar profiles test NAME',
  },
  worker_lost: {
    kind: 'unavailable',
    status: 424,
    message: 'The worker died or is out of reach.',
    wayOut: 'The last partial diff is kept. Start again with: hangar retry ID',
  },
  worker_evicted: {
    kind: 'unavailable',
    status: 424,
    message: 'The cluster took the worker off its node.',
    wayOut:
      'The last partial diff is kept. Start again with: hangar retry ID; with --memory if the node was short of it.',
  },
  node_lost: {
    kind: 'unavailable',
    status: 424,
    message: 'The node of the worker is gone.',
    wayOut: 'The last partial diff is kept. Start again with: hangar retry ID',
  },
  job_timeout: {
    kind: 'limit',
    message: 'The job took longer than its timeout.',
    wayOut: 'Give it more time: --timeout 2h. The partial diff is kept.',
  },
  job_cancelled: { kind: 'conflict', message: 'The job was cancelled.', wayOut: 'Start again with: hangar retry ID' },
  disk_full: {
    kind: 'unavailable',
    message: 'There is no space left on the disk.',
    wayOut: 'Free space on the machine of the server or the profile.',
  },
  open_files_exhausted: {
    kind: 'unavailable',
    message: 'The server has as many files and connections open as it may.',
    wayOut: 'Send again in a moment. Whoever runs this server can raise its limit (ulimit -n, or LimitNOFILE).',
  },
  git_killed: {
    kind: 'unavailable',
    message: 'git was killed while it worked for the job: for memory, or by somebody on its machine.',
    wayOut: 'Start again with: hangar retry ID. If it happens again, give the job more memory.',
  },
  work_folder_gone: {
    kind: 'unavailable',
    message: 'The work folder of the job was removed while it ran.',
    wayOut:
      'Send the job again: hangar retry ID. What removes folders of workers should leave those alone that are in use.',
  },
  collect_failed: {
    kind: 'internal',
    message: 'The diff could not be collected.',
    wayOut: 'Read the end of the log: hangar logs ID --tail 50',
  },

  // Worker
  worker_token_invalid: {
    kind: 'unauthenticated',
    message: 'The worker token is not valid.',
    wayOut: 'The job has ended or was started again; this worker should stop.',
  },
  worker_fenced: {
    kind: 'conflict',
    message: 'The job was already claimed or has ended.',
    wayOut: 'This worker should stop.',
  },

  // Activity
  activity_not_found: { kind: 'not_found', message: 'There is no such activity.', wayOut: 'See: hangar activity' },
  activity_message_invalid: {
    kind: 'invalid',
    message: 'The message does not fit its activity.',
    wayOut: 'Begin with a started message that names the steps.',
  },

  // Kubernetes in view
  k8s_unreachable: {
    kind: 'unavailable',
    message: 'The Kubernetes API server cannot be reached.',
    wayOut: 'Check that it runs and that this server can reach it; it is tried again by itself.',
  },
  k8s_refused: {
    kind: 'unavailable',
    status: 424,
    message: 'The Kubernetes API server does not accept the credentials of this server.',
    wayOut: 'Renew the credentials in the kubeconfig of the server; they are read again by themselves.',
  },
  k8s_forbidden: {
    kind: 'forbidden',
    message: 'This server may not read that in the Kubernetes cluster.',
    wayOut: 'Give its account the rights of deploy/k8s/base/rights-of-view.yaml, or some of them.',
  },
  pod_not_found: { kind: 'not_found', message: 'There is no such pod.', wayOut: 'See: hangar k8s pods' },
  pod_log_not_there: {
    kind: 'not_found',
    message: 'The container has no log yet.',
    wayOut: 'Its state and events say what it waits for: hangar k8s pod NAMESPACE NAME',
  },

  // Server
  data_dir_in_use: {
    kind: 'conflict',
    message: 'Another Hangar server uses this data directory.',
    wayOut: 'Stop it, or set HANGAR_DATA_DIR to another folder.',
  },
  data_dir_unusable: {
    kind: 'unavailable',
    message: 'The data directory cannot be used.',
    wayOut: 'Set HANGAR_DATA_DIR to a folder this user can write to.',
  },
  port_in_use: {
    kind: 'conflict',
    message: 'The port is taken.',
    wayOut: 'Set HANGAR_PORT to a free port, or stop the program that has it.',
  },
  config_invalid: {
    kind: 'invalid',
    message: 'A setting is not right.',
    wayOut: 'See .env.example for what each setting takes.',
  },
  database_unavailable: {
    kind: 'unavailable',
    message: 'The database cannot be reached.',
    wayOut: 'The server tries again by itself; see its log.',
  },
  blob_store_unavailable: {
    kind: 'unavailable',
    message: 'The store for logs and artifacts cannot be reached.',
    wayOut: 'Send again in a moment; workers do so by themselves. The server log says what is wrong.',
  },
  blob_store_refused: {
    kind: 'unavailable',
    message: 'The store for logs and artifacts refuses the server.',
    wayOut: 'Check HANGAR_BLOB_URL, and the credentials and rights of the server for that bucket.',
  },
  database_version: {
    kind: 'unavailable',
    message: 'The database has a version Hangar cannot use.',
    wayOut: 'Use PostgreSQL 15 or newer, or the data directory this version made.',
  },
  master_key_wrong: {
    kind: 'unavailable',
    message: 'The master key does not open the secrets of this database.',
    wayOut: 'Set HANGAR_MASTER_KEY_FILE to the key file this database was made with.',
  },
  backup_exists: {
    kind: 'conflict',
    message: 'The file is there already.',
    wayOut: 'Name another file, or replace it with --force.',
  },
  backup_running: {
    kind: 'conflict',
    message: 'Another backup of this server is being made.',
    wayOut: 'Wait for it to end, then try again.',
  },
  backup_unwritable: {
    kind: 'invalid',
    message: 'The backup cannot be written there.',
    wayOut: 'Name a file in a folder this user can write to.',
  },
  backup_unreadable: {
    kind: 'invalid',
    message: 'The file is not a whole backup of Hangar. Nothing was changed.',
    wayOut: 'Name a file that hangar server backup made, or another copy of it.',
  },
  restore_not_empty: {
    kind: 'conflict',
    message: 'There is data of a server already. Nothing was changed.',
    wayOut: 'Set HANGAR_DATA_DIR or HANGAR_DATABASE_URL to an empty place, or replace what is there with --replace.',
  },
  server_unreachable: {
    kind: 'unavailable',
    message: 'The server cannot be reached.',
    wayOut: 'Check HANGAR_SERVER, or start it: hangar server start',
  },
  certificate_refused: {
    kind: 'unavailable',
    message: 'The certificate of the server is not one this machine trusts.',
    wayOut: 'Name the file with the certificate of its authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem',
  },
  proxy_invalid: {
    kind: 'invalid',
    message: 'The proxy in the environment is none that can be used.',
    wayOut: 'Set HTTPS_PROXY and HTTP_PROXY to http://HOST:PORT or https://HOST:PORT, or name the server in NO_PROXY.',
  },
  proxy_refused: {
    kind: 'unavailable',
    message: 'The proxy did not let the connection through.',
    wayOut: 'Check HTTPS_PROXY and HTTP_PROXY, and the sign-in of the proxy, or name the server in NO_PROXY.',
  },

  // Command line
  usage: { kind: 'invalid', message: 'The command is not understood.', wayOut: 'See: hangar --help' },
  not_a_checkout: {
    kind: 'invalid',
    message: 'This is not a git checkout.',
    wayOut: 'Change into one, or name a repository with --repo URL.',
  },
  checkout_not_trusted: {
    kind: 'forbidden',
    message: 'git does not trust this checkout: it belongs to another user.',
    wayOut: 'If you trust what is in it: git config --global --add safe.directory DIR',
  },
  job_of_other_repository: {
    kind: 'conflict',
    message: 'The job is not of this repository.',
    wayOut: 'Change into a checkout of its repository, or apply it here all the same: hangar pull ID --anyway',
  },
  no_commits: {
    kind: 'invalid',
    message: 'The repository has no commit yet.',
    wayOut: 'Make a first commit, then run this again.',
  },
  tree_dirty: {
    kind: 'conflict',
    message: 'The work tree has uncommitted changes.',
    wayOut: 'Commit them, or use --stash or --branch NAME.',
  },
  diff_conflicts: {
    kind: 'conflict',
    message: 'The diff conflicts with your files.',
    wayOut: 'Resolve the files named, or take it back: hangar pull --undo',
  },
  diff_does_not_apply: {
    kind: 'conflict',
    message: 'The diff does not apply to this checkout.',
    wayOut: 'Change to the commit the job started from: see hangar status ID, or use --branch NAME.',
  },
  nothing_to_undo: {
    kind: 'conflict',
    message: 'There is no pull to take back in this checkout.',
    wayOut: 'Pull a job first: hangar pull ID',
  },
  undo_blocked: {
    kind: 'conflict',
    message: 'Files of the pull were changed since.',
    wayOut:
      'Take your changes out of them (git diff -- FILE > my.patch, then git restore FILE), undo, and put them in again: git apply --3way my.patch',
  },
  checkout_busy: { kind: 'conflict', message: 'Another hangar command works here.', wayOut: 'Wait for it to end.' },
  git_busy: {
    kind: 'conflict',
    message: 'Another git command works in this repository.',
    wayOut: 'Wait for it to end.',
  },
  git_refused: { kind: 'conflict', message: 'git refused.', wayOut: 'Put right what git names, then try again.' },
  file_unreadable: {
    kind: 'conflict',
    message: 'A file cannot be read or written.',
    wayOut: 'Give yourself the right to it (chmod u+rw), or move it away.',
  },
  filter_blocks: {
    kind: 'conflict',
    message: 'What the job changed cannot go through the filter its files belong to.',
    wayOut: 'Write the diff to a file and take over what you need: hangar pull ID --output FILE',
  },
  interrupted: {
    kind: 'invalid',
    message: 'Stopped waiting. The job goes on.',
    wayOut: 'Follow it with: hangar logs ID --follow',
  },
  input_required: {
    kind: 'invalid',
    message: 'This needs an answer and there is no terminal.',
    wayOut: 'Give the value by option or on standard input.',
  },
  keychain_failed: {
    kind: 'unavailable',
    message: 'The keychain refused.',
    wayOut: 'Unlock it, or use --storage file.',
  },
} as const satisfies Record<string, ErrorEntry>;
