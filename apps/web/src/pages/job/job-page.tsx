import { Page, PageHeader } from '../../components/page.tsx';

export function JobPage() {
  return (
    <Page>
      <PageHeader title="Job" />
    </Page>
  );
}
