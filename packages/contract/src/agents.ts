/** Agents as data: the presets a job can name. Anything else given as agent is run as a command. */

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
  /** How to get the program; shown when it is missing. */
  readonly install: string;
  readonly homepage: string;
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
  },
];

export const agentPreset = (name: string): AgentPreset | undefined => AGENTS.find((agent) => agent.name === name);
