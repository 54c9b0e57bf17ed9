export { type SandboxesFeature, type SandboxesSettings, sandboxesFeature } from './feature.ts';
export { sealedExecutionOrders, sealedExecutionTitles, sealedSandboxEnvironments } from './sealed-orders.ts';
export { sandboxesRestored } from './store/sandboxes-restored.ts';
