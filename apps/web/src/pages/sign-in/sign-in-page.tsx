import { Page, PageHeader } from '../../components/page.tsx';

export function SignInPage() {
  return (
    <Page>
      <PageHeader title="Sign in" />
    </Page>
  );
}
