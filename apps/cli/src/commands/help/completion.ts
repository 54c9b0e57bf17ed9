import { HangarError } from '@hangar/contract/errors';
import { defineCommand, type GlobalFlags, globalFlags } from '../../command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** The scripts ask the command line itself, so that new words and live ids need no new script. */
const SCRIPTS: Record<Shell, string> = {
  bash: `_hangar() {
  local IFS=$'\\n'
  COMPREPLY=()
  local line
  while IFS= read -r line; do COMPREPLY+=("\${line%%$'\\t'*}"); done < <(hangar __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [ \${#COMPREPLY[@]} -eq 0 ] && compopt -o default 2>/dev/null
}
complete -F _hangar hangar
`,
  zsh: `#compdef hangar
_hangar() {
  local -a found
  local line
  while IFS= read -r line; do found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); done < <(hangar __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe 'hangar' found; else _files; fi
}
if [ "\${funcstack[1]}" = "_hangar" ]; then _hangar "$@"; else compdef _hangar hangar; fi
`,
  fish: `function __hangar_complete
  set -l words (commandline -opc) (commandline -ct)
  hangar __complete -- $words[2..-1] 2>/dev/null
end
complete -c hangar -f -a '(__hangar_complete)'
complete -c hangar -n '__fish_contains_opt -s o output; or __fish_contains_opt spec' -F
`,
};

export const command = defineCommand<GlobalFlags, [Shell]>({
  brief: 'Print a completion script for bash, zsh or fish',
  examples: [
    ['completion bash > ~/.local/share/bash-completion/completions/hangar', 'for bash'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: zsh's own syntax
    ['completion zsh > "${fpath[1]}/_hangar"', 'for zsh'],
    ['completion fish > ~/.config/fish/completions/hangar.fish', 'for fish'],
  ],
  about: ['Completes commands, options, and the ids of your jobs, profiles and credentials.'],
  json: 'Nothing; prints the script.',
  parameters: {
    flags: globalFlags,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: (word) => {
            const shell = SHELLS.find((one) => one === word);
            if (shell !== undefined) return shell;
            throw new HangarError('usage', { message: `${JSON.stringify(word)} is not one of ${SHELLS.join(', ')}` });
          },
          proposeCompletions: () => SHELLS,
          placeholder: 'SHELL',
          brief: 'bash, zsh or fish',
        },
      ],
    },
  },
  async run(_flags, shell) {
    await this.terminal.write(SCRIPTS[shell]);
  },
});
