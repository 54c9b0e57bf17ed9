import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { asHangarError } from './errors.ts';

/** `onSignedOut` is called when any answer says that nobody is signed in. */
export function createQueryClient(onSignedOut: () => void): QueryClient {
  const notice = (error: unknown) => {
    const { code } = asHangarError(error);
    if (code === 'not_signed_in' || code === 'token_expired') onSignedOut();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError: notice }),
    mutationCache: new MutationCache({ onError: notice }),
    defaultOptions: {
      queries: {
        // The live connection keeps data fresh; what it does not cover is fetched again on focus.
        staleTime: 30_000,
        retry: (count, error) => count < 2 && asHangarError(error).kind === 'unavailable',
        retryDelay: (count) => Math.min(500 * 2 ** count, 4000),
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  });
}
