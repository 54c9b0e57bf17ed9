import { HangarError } from '@hangar/contract';
import { EngineError } from './engine.ts';

/** Whether the Engine said exactly this status. */
export const isStatus = (error: unknown, ...statuses: number[]): boolean =>
  error instanceof EngineError && statuses.includes(error.status);

export const isNoSuchImage = (error: unknown): boolean =>
  error instanceof EngineError && error.status === 404 && /no such image|image not known/i.test(error.message);

/** An error of the Engine as the one of the table that says what to do. Docker tells causes apart by text only. */
export function asHangarError(error: unknown, about: { image: string }): unknown {
  if (!(error instanceof EngineError)) return error;
  const text = error.message;
  const told = (message: string, wayOut?: string) => ({ message, cause: error, ...(wayOut ? { wayOut } : {}) });
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return new HangarError('disk_full', told('Docker has no space left on its disk.'));
  }
  if (/invalid reference format|no such image/i.test(text)) {
    return new HangarError('image_not_found', told(`The image ${about.image} was not found: ${text}.`));
  }
  if (/exec format error/i.test(text)) {
    return new HangarError(
      'image_unsuitable',
      told(`The image ${about.image} is for another processor architecture than the machine of Docker.`),
    );
  }
  if (/docker-init/.test(text)) {
    return new HangarError(
      'launch_failed',
      told('Docker has no docker-init.', 'Install tini on the machine of Docker.'),
    );
  }
  if (/no such file or directory|executable file not found|permission denied/i.test(text) && /exec|start/.test(text)) {
    return new HangarError('image_unsuitable', told(`The image ${about.image} cannot run the worker: ${text}.`));
  }
  if (/bind source path does not exist/i.test(text)) {
    return new HangarError(
      'launch_failed',
      told(
        'Docker does not see the folder of the worker socket, so it runs on another machine or Hangar in a container.',
        'Set serverUrl in the profile to how containers reach this server.',
      ),
    );
  }
  return new HangarError('launch_failed', told(`Docker refused: ${text}.`));
}

/** What a registry, or the Engine on its behalf, said about a pull. */
export function asPullError(text: string, image: string): HangarError {
  if (/no space left on device|disk quota exceeded/i.test(text)) {
    return new HangarError('disk_full', { message: `There is no space left for the image ${image}.` });
  }
  if (
    /not found|unknown|denied|unauthorized|does not exist|no basic auth|invalid reference|forbidden|no matching manifest/i.test(
      text,
    ) &&
    !/no such host|lookup|unknown authority/i.test(text)
  ) {
    return new HangarError('image_not_found', { message: `The image ${image} cannot be pulled: ${text}.` });
  }
  return new HangarError('driver_unavailable', {
    message: `The image ${image} could not be pulled: ${text}.`,
    wayOut: 'Check that the machine of Docker reaches the registry.',
  });
}
