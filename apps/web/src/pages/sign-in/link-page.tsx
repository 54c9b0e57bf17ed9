import { Page, PageHeader } from '../../components/page.tsx';

export function LinkPage() {
  return (
    <Page>
      <PageHeader title="Sign in" />
    </Page>
  );
}
