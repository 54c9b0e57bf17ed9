/** Agents as data: the presets a job can name. Anything else given as agent is run as a command. */

/** Formats of events that agents print on standard output, one JSON object a line. */
export type AgentOutput = 'claude' | 'codex' | 'gemini' | 'opencode';

/** Name of the artifact that keeps such events as they were printed. */
export const AGENT_EVENTS = 'agent-events.jsonl';

export interface AgentPreset {
  readonly name: string;
  readonly title: string;
  /**
   * The argument list. `{spec}` is replaced by the text of the spec, `{specFile}` by the path of a file that holds it.
   * Without either the spec arrives on standard input. Empty for `shell`: the worker runs the fenced sh blocks.
   */
  readonly argv: readonly string[];
  readonly specBy: 'argument' | 'file' | 'stdin' | 'blocks';
  /** At least one variable of each inner list must be set. */
  readonly needsEnv: readonly (readonly string[])[];
  /** Set unless the job sets them: quiet, no self-update, no telemetry. */
  readonly env: Readonly<Record<string, string>>;
  /** Taken from another variable when it is not set itself: name → where from. */
  readonly envFrom?: Readonly<Record<string, string>>;
  /** What else it needs once all these variables have a value. */
  readonly whenSet?: readonly {
    readonly names: readonly string[];
    /** More arguments. `{NAME}` is replaced by the value of that variable as a JSON string. */
    readonly argv?: readonly string[];
    /** Files of the private home it gets, path → text. A person's own home is left as it is. */
    readonly home?: Readonly<Record<string, string>>;
  }[];
  /** How it prints what it does; plain text when left out. */
  readonly output?: AgentOutput;
  /** Files the agent keeps for itself in the work tree, as gitignore patterns: not in the diff. */
  readonly keeps?: readonly string[];
  /** How to get the program; shown when it is missing. */
  readonly install: string;
  readonly homepage: string;
  /** The release that jobs of the tests run with, end to end. Null: made after its documentation. */
  readonly proved: { readonly npm: string; readonly version: string } | null;
}

export const AGENTS: readonly AgentPreset[] = [
  {
    name: 'shell',
    title: 'Shell',
    argv: [],
    specBy: 'blocks',
    needsEnv: [],
    env: {},
    install: 'Nothing to install: runs the fenced sh blocks of the spec with /bin/sh.',
    homepage: 'https://pubs.opengroup.org/onlinepubs/9799919799/utilities/sh.html',
    proved: null,
  },
  {
    // https://code.claude.com/docs/en/headless; IS_SANDBOX: it refuses to skip permissions as root otherwise.
    name: 'claude',
    title: 'Claude Code',
    // stream-json is refused without --verbose.
    argv: ['claude', '-p', '--dangerously-skip-permissions', '--output-format', 'stream-json', '--verbose'],
    specBy: 'stdin',
    output: 'claude',
    needsEnv: [
      [
        'ANTHROPIC_API_KEY',
        'ANTHROPIC_AUTH_TOKEN',
        'CLAUDE_CODE_OAUTH_TOKEN',
        'CLAUDE_CODE_USE_BEDROCK',
        'CLAUDE_CODE_USE_VERTEX',
      ],
    ],
    env: {
      IS_SANDBOX: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_ERROR_REPORTING: '1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    },
    install: 'npm install -g @anthropic-ai/claude-code',
    homepage: 'https://code.claude.com/docs',
    proved: { npm: '@anthropic-ai/claude-code', version: '2.1.330' },
  },
  {
    // https://developers.openai.com/codex/noninteractive; the job's own isolation takes the place of its sandbox.
    name: 'codex',
    title: 'Codex',
    argv: [
      'codex',
      'exec',
      '--dangerously-bypass-approvals-and-sandbox',
      '--skip-git-repo-check',
      '--ephemeral',
      '--json',
      '--color',
      'never',
      '-c',
      'check_for_update_on_startup=false',
      '-c',
      'analytics.enabled=false',
      '-',
    ],
    specBy: 'stdin',
    output: 'codex',
    needsEnv: [['CODEX_API_KEY', 'OPENAI_API_KEY']],
    env: {},
    // codex exec reads only CODEX_API_KEY.
    envFrom: { CODEX_API_KEY: 'OPENAI_API_KEY' },
    // It does not read OPENAI_BASE_URL. A provider of its own rather than openai_base_url: that one tries websockets first,
    // which gateways rarely speak.
    whenSet: [
      {
        names: ['OPENAI_BASE_URL', 'CODEX_API_KEY'],
        argv: [
          '-c',
          'model_provider="gateway"',
          '-c',
          'model_providers.gateway={name="Gateway",base_url={OPENAI_BASE_URL},env_key="CODEX_API_KEY",wire_api="responses"}',
        ],
      },
    ],
    install: 'npm install -g @openai/codex',
    homepage: 'https://developers.openai.com/codex',
    proved: { npm: '@openai/codex', version: '0.169.0' },
  },
  {
    // https://opencode.ai/docs/cli/#run; the message comes on standard input when there is none in the arguments.
    name: 'opencode',
    title: 'OpenCode',
    argv: ['opencode', 'run', '--auto', '--format', 'json'],
    specBy: 'stdin',
    output: 'opencode',
    needsEnv: [
      [
        'ANTHROPIC_API_KEY',
        'OPENAI_API_KEY',
        'OPENCODE_API_KEY',
        'OPENROUTER_API_KEY',
        'GOOGLE_GENERATIVE_AI_API_KEY',
        'GEMINI_API_KEY',
        'OPENCODE_CONFIG_CONTENT',
      ],
    ],
    env: {
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_SHARE: '1',
      OPENCODE_DISABLE_TERMINAL_TITLE: '1',
    },
    install: 'npm install -g opencode-ai',
    homepage: 'https://opencode.ai/docs',
    proved: { npm: 'opencode-ai', version: '1.18.33' },
  },
  {
    // https://geminicli.com/docs/cli/headless; standard input that is no terminal makes it headless.
    name: 'gemini',
    title: 'Gemini CLI',
    argv: ['gemini', '--approval-mode=yolo', '--skip-trust', '--output-format', 'stream-json'],
    specBy: 'stdin',
    output: 'gemini',
    needsEnv: [['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GOOGLE_GENAI_USE_VERTEXAI', 'GOOGLE_GENAI_USE_GCA']],
    env: { GEMINI_TELEMETRY_ENABLED: 'false', GEMINI_CLI_TRUST_WORKSPACE: 'true' },
    // With a base URL it takes itself for signed in at a gateway and refuses to run headless, unless settings choose the key.
    whenSet: [
      {
        names: ['GOOGLE_GEMINI_BASE_URL', 'GEMINI_API_KEY'],
        home: { '.gemini/settings.json': '{"security":{"auth":{"selectedType":"gemini-api-key"}}}\n' },
      },
    ],
    install: 'npm install -g @google/gemini-cli',
    homepage: 'https://geminicli.com/docs',
    proved: { npm: '@google/gemini-cli', version: '0.61.0' },
  },
  {
    // https://aider.chat/docs/scripting.html and /docs/config/options.html; Hangar makes the diff, so it must not commit.
    name: 'aider',
    title: 'Aider',
    argv: [
      'aider',
      '--message-file',
      '{specFile}',
      '--yes-always',
      '--no-auto-commits',
      '--no-dirty-commits',
      '--no-gitignore',
      '--no-check-update',
      '--no-show-release-notes',
      '--analytics-disable',
      '--no-pretty',
      '--no-stream',
      '--no-fancy-input',
    ],
    specBy: 'file',
    needsEnv: [
      [
        'OPENAI_API_KEY',
        'ANTHROPIC_API_KEY',
        'GEMINI_API_KEY',
        'OPENROUTER_API_KEY',
        'DEEPSEEK_API_KEY',
        'AIDER_API_KEY',
      ],
    ],
    env: {},
    // Its base URL has a name of its own.
    envFrom: { OPENAI_API_BASE: 'OPENAI_BASE_URL' },
    keeps: ['.aider*'],
    install: 'python -m pip install aider-install && aider-install',
    homepage: 'https://aider.chat/docs',
    proved: null,
  },
];

export const agentPreset = (name: string): AgentPreset | undefined => AGENTS.find((agent) => agent.name === name);
