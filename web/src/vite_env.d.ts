/// <reference types="vite/client" />

declare const __STOA_VERSION__: string;
