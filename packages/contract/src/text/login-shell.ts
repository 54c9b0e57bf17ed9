/**
 * For sh: becomes the login shell of the account in a terminal. That is the shell which the account has chosen; where it has none better
 * than sh, bash is kinder to whoever types.
 */
export const LOGIN_SHELL = `# Login shell
h_me=$(id -un 2>/dev/null) || h_me=
h_chosen=$(awk -F: -v me="$h_me" '$1 == me { print $7 }' /etc/passwd 2>/dev/null)
for h_shell in "$h_chosen" "$SHELL" "$(command -v bash)"; do
  case $h_shell in ''|*/sh|*/nologin|*/false) continue;; esac
  [ -x "$h_shell" ] || continue
  SHELL=$h_shell; export SHELL
  unset h_me h_chosen
  exec "$h_shell" -l
done
unset h_me h_chosen
exec sh -l`;

/** What programs in a terminal are told of it. */
export const TERMINAL_ENV = { TERM: 'xterm-256color', COLORTERM: 'truecolor' } as const;
