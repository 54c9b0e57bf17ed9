import { getRouteApi } from '@tanstack/react-router';
import { curlFor } from '../../components/as-command.tsx';
import { OverviewView } from '../../modules/kubernetes/overview-view.tsx';
import { useCluster } from './use-cluster.ts';

const route = getRouteApi('/app/operations/kubernetes');

export function OverviewPage() {
  const { context } = route.useSearch();
  const navigate = route.useNavigate();
  const { health } = useCluster(context, ['health']);
  return (
    <OverviewView
      health={health}
      context={context}
      onContext={(name) => void navigate({ search: { context: name } })}
      command={{
        hangar: `hangar k8s health${context === undefined ? '' : ` --context ${context}`}`,
        curl: curlFor('GET', '/k8s/health'),
      }}
    />
  );
}
