import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useApi } from '../../api/client.tsx';
import { loadable } from '../../api/loadable.ts';
import { useIsHere } from '../../components/use-action.ts';
import { localPath } from './fragment.ts';
import { SignInView } from './sign-in-view.tsx';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const api = useApi();
  const isHere = useIsHere();
  const queries = useQueryClient();
  const router = useRouter();
  const { next } = route.useSearch();
  const info = useQuery(api.system.info.queryOptions({ input: {} }));
  const signIn = useMutation(
    api.access.signIn.mutationOptions({
      onSuccess: () => {
        queries.clear();
        if (isHere()) router.history.push(localPath(next));
      },
    }),
  );
  return <SignInView info={loadable(info)} onSignIn={signIn.mutateAsync} />;
}
