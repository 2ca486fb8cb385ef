import { chmod, rm } from 'node:fs/promises'
import { build } from 'esbuild'

// A bundle without comments and types takes less memory than the tree it comes from. It is split, so that what only the
// start needs (the readers of settings) is not in memory afterwards.
await rm(new URL('dist', import.meta.url), { recursive: true, force: true })
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { 'nxmesh-agent': 'src/main.ts', thread: 'src/telemetry/thread.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  legalComments: 'none',
  // The reader of YAML is CommonJS and requires Node's own modules.
  banner: { js: "import { createRequire as nxmeshRequire } from 'node:module'; const require = nxmeshRequire(import.meta.url);" },
})
await chmod(new URL('dist/nxmesh-agent.mjs', import.meta.url), 0o755)
