declare const HANGAR_VERSION: string | undefined;

/** Set by the bundler, so that printing it loads nothing else. */
export const VERSION: string = typeof HANGAR_VERSION === 'string' ? HANGAR_VERSION : '0.0.0-source';
