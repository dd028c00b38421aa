import type { BuildOptions } from 'esbuild'

/** They bring binaries, which a bundle cannot hold. */
export const unbundled = ['@node-rs/crc32', 'lz4-napi', 'snappy']

/** How everything that is published is compiled. */
export const bundling = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  external: unbundled,
  legalComments: 'linked',
  logLevel: 'warning',
  // CommonJS inside the bundle asks for built-in modules by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)",
  },
} as const satisfies BuildOptions
