import { mkdir } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';
import { socketFolder } from './control.ts';
import { ownFolder } from './own-folder.ts';

/** @throws HangarError data_dir_unusable */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await ownFolder(socketFolder(dataDir), 0o700);
  } catch (cause) {
    if (cause instanceof HangarError) throw cause;
    throw new HangarError('data_dir_unusable', {
      message: `The data directory ${dataDir} cannot be made: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
}
