import { Page, PageHeader } from '../../components/page.tsx';

export function NewJobPage() {
  return (
    <Page>
      <PageHeader title="New job" />
    </Page>
  );
}
