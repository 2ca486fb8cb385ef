// npm run check: everything that can be said about the tree without starting its programs. Each step is one line, and its output when it fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bin, main, root, run } from './command.mjs'
import { ensureDependencies, locateNode, programEnv } from './install.mjs'
import { lintDocument } from './lint-document.mjs'

const UNIT_SUITES = ['packages/model/src', 'packages/api/src', 'packages/nginx/src', 'e2e/house']

const env = programEnv({ NO_COLOR: '1' })
const tool = (name, ...args) => run(join(bin, name), args, { env })

/** @type {[string, () => Promise<{ ok: boolean, output: string }>][]} */
const STEPS = [
  ['types', () => tool('tsc', '-p', root)],
  ['lint', () => tool('oxlint', '--type-aware', '--deny-warnings', '--quiet')],
  ['format', () => tool('biome', 'check', '--error-on-warnings')],
  ['dead code', () => tool('knip', '--no-progress', '--no-config-hints')],
  ['protocol', () => tool('buf', 'lint')],
  ['generated code', compareGenerated],
  ['API document', () => lintDocument(env)],
  ['unit tests', () => tool('vitest', 'run', ...UNIT_SUITES)],
]

/** Generates the protocol code into a scratch folder and compares it with what is committed. */
async function compareGenerated() {
  const scratch = mkdtempSync(join(tmpdir(), 'nxmesh-generated-'))
  try {
    const generated = await tool('buf', 'generate', '--output', scratch)
    if (!generated.ok) return generated
    const folder = join('packages', 'proto', 'src', 'gen')
    const difference = await run('diff', ['-r', '-u', join(root, folder), join(scratch, folder)])
    return difference.ok ? difference : { ok: false, output: `${folder} is not what npm run proto makes:\n${difference.output}` }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

await main(async (names) => {
  await ensureDependencies()
  await locateNode()
  const chosen = STEPS.filter(([name]) => names.length === 0 || names.includes(name))
  let failed = 0
  for (const [name, step] of chosen) {
    const { ok, output } = await step()
    if (!ok) failed += 1
    console.log(ok ? `ok     ${name}` : `FAILED ${name}\n${output}\n`)
  }
  return failed > 0 || chosen.length === 0 ? 1 : 0
})
