import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import type { Api } from './api/client.tsx';
import { JobsPage } from './pages/jobs/jobs-page.tsx';
import { AppLayout } from './shell/app-layout.tsx';
import { CrashPage, MissingPage } from './shell/crash.tsx';

export interface RouterContext {
  api: Api;
  queries: QueryClient;
}

/** Whether this build has the gallery: development, and builds with VITE_GALLERY=1. */
export const HAS_GALLERY = import.meta.env.DEV || import.meta.env.VITE_GALLERY === '1';

/** A search parameter that was typed by hand never breaks a page: what does not fit is left out. */
const texts =
  <Name extends string>(...names: Name[]) =>
  (search: Record<string, unknown>): { [name in Name]?: string | undefined } =>
    Object.fromEntries(
      names.filter((name) => search[name] !== undefined).map((name) => [name, String(search[name])]),
    ) as { [name in Name]?: string };

const jobTexts = texts('tab', 'q', 'file');
const podTexts = texts('context', 'status', 'namespace', 'node', 'search', 'sort');

const number = <Name extends string>(
  name: Name,
  search: Record<string, unknown>,
): { [name in Name]?: number | undefined } => {
  const value = Number(search[name] ?? Number.NaN);
  return (Number.isSafeInteger(value) ? { [name]: value } : {}) as { [name in Name]?: number };
};

const root = createRootRouteWithContext<RouterContext>()({ component: Outlet });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: texts('next'),
  component: lazyRouteComponent(() => import('./pages/auth/sign-in-page.tsx'), 'SignInPage'),
});
const signInLink = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/link',
  component: lazyRouteComponent(() => import('./pages/auth/link-page.tsx'), 'LinkPage'),
});
const invite = createRoute({
  getParentRoute: () => root,
  path: '/invite',
  component: lazyRouteComponent(() => import('./pages/auth/invite-page.tsx'), 'InvitePage'),
});
const device = createRoute({
  getParentRoute: () => root,
  path: '/device',
  validateSearch: texts('user_code'),
  component: lazyRouteComponent(() => import('./pages/auth/device-page.tsx'), 'DevicePage'),
});

const app = createRoute({ getParentRoute: () => root, id: 'app', component: AppLayout });
const home = createRoute({
  getParentRoute: () => app,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/jobs', replace: true });
  },
});
const jobs = createRoute({
  getParentRoute: () => app,
  path: '/jobs',
  /** `state`: states, joined by commas. `all=1`: of everybody, for admins. */
  validateSearch: texts('state', 'search', 'agent', 'profile', 'repo', 'group', 'all'),
  // The page most visits begin with comes with the app.
  component: JobsPage,
});
const newJob = createRoute({
  getParentRoute: () => app,
  path: '/jobs/new',
  validateSearch: texts('from', 'repo', 'agent', 'profile', 'sandbox'),
  component: lazyRouteComponent(() => import('./pages/new-job/new-job-page.tsx'), 'NewJobPage'),
});
const job = createRoute({
  getParentRoute: () => app,
  path: '/jobs/$id',
  validateSearch: (search: Record<string, unknown>): ReturnType<typeof jobTexts> & { line?: number | undefined } => ({
    ...jobTexts(search),
    ...number('line', search),
  }),
  component: lazyRouteComponent(() => import('./pages/job/job-page.tsx'), 'JobPage'),
});
const compare = createRoute({
  getParentRoute: () => app,
  path: '/compare',
  /** `ids`: of jobs, joined by commas. */
  validateSearch: texts('ids', 'group', 'file'),
  component: lazyRouteComponent(() => import('./pages/compare/compare-page.tsx'), 'ComparePage'),
});
const sandboxes = createRoute({
  getParentRoute: () => app,
  path: '/sandboxes',
  validateSearch: texts('show', 'profile', 'all'),
  component: lazyRouteComponent(() => import('./pages/sandboxes/sandboxes-page.tsx'), 'SandboxesPage'),
});
const sandbox = createRoute({
  getParentRoute: () => app,
  path: '/sandboxes/$id',
  /** `terminal`: the one that is shown; `terminals`: all that are open, joined by commas. `path`: the folder of the files. */
  validateSearch: texts('tab', 'execution', 'terminal', 'terminals', 'path', 'pathBase64'),
  component: lazyRouteComponent(() => import('./pages/sandboxes/sandbox-page.tsx'), 'SandboxPage'),
});
const operations = createRoute({
  getParentRoute: () => app,
  path: '/operations',
  component: lazyRouteComponent(() => import('./pages/operations/operations-page.tsx'), 'OperationsPage'),
});
/** `context`: which cluster of the kubeconfig; the current one when left out. */
const kubernetes = createRoute({
  getParentRoute: () => app,
  path: '/operations/kubernetes',
  validateSearch: texts('context'),
  component: lazyRouteComponent(() => import('./pages/kubernetes/overview-page.tsx'), 'OverviewPage'),
});
const nodes = createRoute({
  getParentRoute: () => app,
  path: '/operations/kubernetes/nodes',
  validateSearch: texts('context', 'status', 'search'),
  component: lazyRouteComponent(() => import('./pages/kubernetes/nodes-page.tsx'), 'NodesPage'),
});
const pods = createRoute({
  getParentRoute: () => app,
  path: '/operations/kubernetes/pods',
  /** `status`: states, joined by commas. */
  validateSearch: (search: Record<string, unknown>): ReturnType<typeof podTexts> & { page?: number | undefined } => ({
    ...podTexts(search),
    ...number('page', search),
  }),
  component: lazyRouteComponent(() => import('./pages/kubernetes/pods-page.tsx'), 'PodsPage'),
});
const pod = createRoute({
  getParentRoute: () => app,
  path: '/operations/kubernetes/pods/$namespace/$name',
  /** `previous=1`: the log of the run before. */
  validateSearch: texts('context', 'tab', 'container', 'previous'),
  component: lazyRouteComponent(() => import('./pages/kubernetes/pod-page.tsx'), 'PodPage'),
});
const settings = createRoute({
  getParentRoute: () => app,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings/settings-page.tsx'), 'SettingsPage'),
});
const settingsSection = createRoute({
  getParentRoute: () => app,
  path: '/settings/$section',
  component: lazyRouteComponent(() => import('./pages/settings/settings-page.tsx'), 'SettingsPage'),
});

/** What this version does not have yet. */
const later = (['clusters', 'models'] as const).map((noun) =>
  createRoute({
    getParentRoute: () => app,
    path: `/${noun}`,
    component: lazyRouteComponent(() => import('./pages/later/later-page.tsx'), 'LaterPage'),
  }),
);

const gallery = createRoute({
  getParentRoute: () => root,
  path: '/gallery',
  validateSearch: texts('entry', 'scheme'),
  component: HAS_GALLERY ? lazyRouteComponent(() => import('./gallery/gallery-page.tsx'), 'GalleryPage') : MissingPage,
});

const tree = root.addChildren([
  signIn,
  signInLink,
  invite,
  device,
  gallery,
  app.addChildren([
    home,
    jobs,
    newJob,
    job,
    compare,
    sandboxes,
    sandbox,
    operations,
    kubernetes,
    nodes,
    pods,
    pod,
    settings,
    settingsSection,
    ...later,
  ]),
]);

export function createAppRouter(context: RouterContext) {
  return createRouter({
    routeTree: tree,
    context,
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
    defaultErrorComponent: CrashPage,
    defaultNotFoundComponent: MissingPage,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
