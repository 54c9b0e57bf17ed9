import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useApi } from '../../api/client.tsx';
import { asHangarError } from '../../api/errors.ts';
import { useIsHere } from '../../components/use-action.ts';
import { useFragmentToken } from './fragment.ts';
import { LinkView } from './link-view.tsx';

/** Signs in by the token behind the `#` of a one-time link. */
export function LinkPage() {
  const api = useApi();
  const isHere = useIsHere();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const token = useFragmentToken();
  const asked = useRef(false);
  const signIn = useMutation(
    api.access.signInByLink.mutationOptions({
      onSuccess: (person) => {
        queries.clear();
        // Without a password this was the only way in, so the next page is where one is set.
        if (isHere()) void navigate({ to: person.hasPassword ? '/jobs' : '/settings', replace: true });
      },
    }),
  );
  const { mutate } = signIn;
  useEffect(() => {
    if (token === null || asked.current) return;
    asked.current = true;
    mutate({ token });
  }, [token, mutate]);
  return <LinkView hasToken={token !== null} error={signIn.error ? asHangarError(signIn.error) : null} />;
}
