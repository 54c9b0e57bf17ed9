/** Why nothing came of a call, in people's words. */
export function why(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    ECONNREFUSED: 'the connection was refused',
    ENOTFOUND: 'the host name is unknown',
    EAI_AGAIN: 'the host name cannot be looked up',
    EHOSTUNREACH: 'the host is out of reach',
    ENETUNREACH: 'the network is out of reach',
    ETIMEDOUT: 'no answer in time',
    ECONNRESET: 'the connection was cut',
    EPIPE: 'the connection was cut',
    ABORT_ERR: 'no answer in time',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that the kubeconfig does not name',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that the kubeconfig does not name',
    CERT_HAS_EXPIRED: 'its certificate has expired',
  };
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  return words[code] ?? (error instanceof Error ? error.message : String(error));
}
