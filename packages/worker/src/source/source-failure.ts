import { HangarError } from '@hangar/contract';

/** A commit that was in a checkout and not where the worker looked for it, or a remote that did not let the worker in. */
export function asSeenFromCheckout(
  error: unknown,
  from: { readonly url: string; readonly commit: string | null; readonly ref: string | null; readonly thin: boolean },
): unknown {
  if (!(error instanceof HangarError)) return error;
  const { code, message, details } = error;
  const retold = (wayOut: string, told = message) =>
    new HangarError(code, { message: told, wayOut, cause: error, ...(details === undefined ? {} : { details }) });
  const whole = 'send the checkout with its whole history, which needs no remote: hangar run --cloud --bundle';
  switch (code) {
    case 'ref_not_found':
      if (from.commit !== null)
        return retold(
          `Push it again, or ${whole}`,
          `${from.url} does not have commit ${from.commit.slice(0, 12)}${from.thin ? ', which the checkout builds on' : ''}: it was never pushed, or is gone from there.`,
        );
      return from.ref === null ? retold('Push a first commit to it, or name what is there with --ref.') : error;
    case 'repo_auth_failed':
      return retold(
        `Add a credential (hangar cloud credentials add NAME, then --credential NAME); or, from a checkout, ${whole}`,
      );
    case 'repo_not_found':
      return retold(`Check the URL; a private repository needs --credential NAME; or, from a checkout, ${whole}`);
    case 'repo_unreachable':
      return retold(`${error.wayOut} Or, from a checkout, ${whole}`);
    default:
      return error;
  }
}
