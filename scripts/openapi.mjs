// npm run openapi: writes packages/api/openapi.json from the route table.
import { join } from 'node:path'
import { main, root, run } from './command.mjs'
import { ensureDependencies, locateNode, programEnv } from './install.mjs'

await main(async () => {
  await ensureDependencies()
  const node = await locateNode()
  const written = await run(node, [join(root, 'packages', 'api', 'write-openapi.ts')], { env: programEnv(), inherit: true })
  return written.code
})
