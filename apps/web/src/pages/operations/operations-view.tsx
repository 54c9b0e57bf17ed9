import type { Loadable } from '../../api/loadable.ts';
import { Page, PageHeader } from '../../components/page.tsx';
import { ActivityActions, type ActivityAnswer, ActivityPanel } from '../../modules/activity/activity-panel.tsx';

export function OperationsView({ activity }: { activity: Loadable<ActivityAnswer> }) {
  return (
    <Page>
      <PageHeader
        title="Activity"
        sub="What is being done on this server, and what was done lately. Service health and the Kubernetes view are not part of this version."
        actions={<ActivityActions onRefresh={activity.retry} refreshing={activity.refetching} />}
      />
      <ActivityPanel activity={activity} />
    </Page>
  );
}
