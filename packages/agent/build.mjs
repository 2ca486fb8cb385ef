import { chmod } from 'node:fs/promises'
import { build } from 'esbuild'

// One file without comments and type annotations takes less memory than the tree it comes from.
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ['src/main.ts'],
  outfile: 'dist/nxmesh-agent.mjs',
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  legalComments: 'none',
  // grpc-js is CommonJS and requires Node's own modules.
  banner: { js: "import { createRequire as nxmeshRequire } from 'node:module'; const require = nxmeshRequire(import.meta.url);" },
})
await chmod(new URL('dist/nxmesh-agent.mjs', import.meta.url), 0o755)
