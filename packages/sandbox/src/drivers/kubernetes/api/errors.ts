import { HangarError } from '@hangar/contract';
import { tidy } from '../unit/unit-state.ts';
import { ApiError } from './api.ts';

/** A refusal of the API server as the error of the table that says what to do. Kubernetes tells some causes apart by text only. */
export function asHangarError(error: unknown, about: { doing: string; namespace: string }): unknown {
  if (!(error instanceof ApiError)) return error;
  const text = tidy(error.message);
  const told = (message: string, wayOut?: string) => ({ message, cause: error, ...(wayOut ? { wayOut } : {}) });
  if (isQuota(text))
    return new HangarError('quota_refused', told(`A quota of namespace ${about.namespace} refuses it: ${text}.`));
  if (isAdmission(text))
    return new HangarError('admission_refused', told(`A rule of the cluster refuses it: ${text}.`));
  if (error.status === 401) {
    return new HangarError(
      'cluster_forbidden',
      told('The cluster does not know who this server is.', 'Renew the credentials of the kubeconfig.'),
    );
  }
  if (error.status === 403) {
    return new HangarError('cluster_forbidden', told(`The cluster does not allow ${about.doing}: ${text}.`));
  }
  if (error.status === 404 && /namespaces? "?[^ ]*"? ?not found/i.test(text)) {
    return new HangarError(
      'launch_failed',
      told(`The cluster has no namespace ${about.namespace}.`, `Make it: kubectl create namespace ${about.namespace}`),
    );
  }
  if (error.status === 400 || error.status === 422) {
    return new HangarError('job_template_invalid', told(`Kubernetes does not take the job: ${text}.`));
  }
  return new HangarError('launch_failed', told(`Kubernetes refused ${about.doing}: ${text}.`));
}

export const isQuota = (text: string): boolean => /exceeded quota|failed quota|insufficient quota/i.test(text);

export const isAdmission = (text: string): boolean =>
  /admission webhook|ValidatingAdmissionPolicy|violates PodSecurity|denied the request|admission plugin/i.test(text);
