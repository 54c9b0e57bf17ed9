/** Exit code of a holder at the end of its time. */
export const HELD_ITS_TIME = 124;
/** Exit code of a holder that was told to end, by TERM. */
export const HELD_UNTIL_TOLD = 143;

/**
 * First process of a machine in hand: waits until TERM, or for the seconds that are its only argument. No shell can wait for nothing
 * by itself; so that the image need have nothing but `sh`, it waits for a child that has stopped itself.
 */
const script = (begun: string): string => `trap 'kill -KILL $! 2>/dev/null; exit ${HELD_UNTIL_TOLD}' TERM
trap '' HUP INT
${begun}
if [ -n "$1" ]; then
  sleep "$1" &
  wait $!
  code=$?
  [ "$code" -eq 0 ] && exit ${HELD_ITS_TIME}
  exit "$code"
fi
while :; do /bin/sh -c 'kill -STOP $$' & wait $!; done
`;

/**
 * The holder as a command.
 *
 * @param o.seconds its time; null: until it is told to end
 * @param o.begunFd file descriptor to which it writes `begun` and a line end once it can be told
 */
export const holdCommand = (o: {
  readonly seconds: number | null;
  readonly begunFd?: number;
}): readonly [string, ...string[]] => [
  ...(['/bin/sh', '-c'] as const),
  script(o.begunFd === undefined ? '' : `echo begun >&${o.begunFd}\nexec ${o.begunFd}>&-`),
  'hangar-hold',
  ...(o.seconds === null ? [] : [String(Math.ceil(o.seconds))]),
];
