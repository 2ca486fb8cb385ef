// npm run options: writes packages/model/src/gen/option-shapes.ts from the schemas of the options.
import { join } from 'node:path'
import { main, root, run } from './command.mjs'
import { ensureDependencies, locateNode, programEnv } from './install.mjs'

await main(async () => {
  await ensureDependencies()
  const node = await locateNode()
  const written = await run(node, [join(root, 'packages', 'model', 'write-option-shapes.ts')], { env: programEnv(), inherit: true })
  return written.code
})
