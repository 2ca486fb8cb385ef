// npm run bench [name …]: runs the scenarios of bench/, each a program that prints what it measured and ends non-zero beyond its limit.
import { readdirSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { main, Refusal, root, run } from './command.mjs'
import { ensureDependencies, ensureNginx, locateNode, programEnv } from './install.mjs'

const SUFFIX = '.bench.ts'

await main(async (names) => {
  await ensureDependencies()
  const node = await locateNode()
  const nginx = await ensureNginx()
  const scenarios = readdirSync(join(root, 'bench'))
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort()
  const unknown = names.filter((name) => !scenarios.includes(name))
  if (unknown.length > 0) throw new Refusal(`There is no scenario ${unknown.join(', ')}; there are ${scenarios.join(', ')}.`)
  console.log(await machineLine(node, nginx))
  let failed = 0
  for (const scenario of names.length > 0 ? names : scenarios) {
    console.log(`\n${scenario}`)
    const result = await run(node, [join(root, 'bench', scenario + SUFFIX)], { env: programEnv({ NXMESH_NGINX: nginx }), inherit: true })
    if (result.ok) continue
    failed += 1
    console.log(`FAILED ${scenario} (code ${result.code})`)
  }
  return failed > 0 ? 1 : 0
})

/** What the figures below were measured on. */
async function machineLine(node, nginx) {
  const processors = cpus()
  const nodeVersion = (await run(node, ['--version'])).output
  const nginxVersion = (await run(nginx, ['-v'])).output.replace(/^nginx version: /, '')
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB`
  return `machine: ${processors[0]?.model.trim() ?? process.arch}, ${processors.length} cores, ${memory}, ${type()} ${release()}, node ${nodeVersion}, ${nginxVersion}`
}
