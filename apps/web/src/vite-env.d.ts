/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** `1` puts the gallery into a production build. */
  readonly VITE_GALLERY?: string;
}
