// npm run access: writes the table of roles and routes in docs/access.md from the route table.
import { join } from 'node:path'
import { main, root, run } from './command.mjs'
import { ensureDependencies, locateNode, programEnv } from './install.mjs'

await main(async () => {
  await ensureDependencies()
  const node = await locateNode()
  const written = await run(node, [join(root, 'packages', 'api', 'write-access-table.ts')], { env: programEnv(), inherit: true })
  return written.code
})
