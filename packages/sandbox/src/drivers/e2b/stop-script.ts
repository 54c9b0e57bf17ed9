/**
 * Asks every process of the sandbox to end, and waits until none is left or the time ($1, seconds) is over. envd puts the id of the
 * sandbox into the environment of all it starts, and has it not itself: so nothing but them is hit.
 */
export const STOP_SCRIPT = `
ours() {
  for f in $(grep -lszxF "E2B_SANDBOX_ID=$E2B_SANDBOX_ID" /proc/[0-9]*/environ); do
    p=\${f#/proc/}
    p=\${p%/environ}
    [ "$p" = "$$" ] || echo "$p"
  done
}
[ -n "$E2B_SANDBOX_ID" ] || exit 3
for p in $(ours); do kill -s TERM "$p" 2>/dev/null; done
end=$(($(date +%s) + $1))
while [ "$(date +%s)" -lt "$end" ]; do
  left=0
  for p in $(ours); do [ -d "/proc/$p" ] && left=1; done
  [ "$left" = 0 ] && exit 0
  sleep 0.2
done
exit 0
`;
