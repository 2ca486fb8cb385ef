import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadLines } from '../src/facts.ts'
import { streamContextNames, streamContextsFor } from '../src/stream-directives.ts'
import { binaries } from './support/nginx-versions.ts'
import { temporaryFolder, testFile } from './support/real-nginx.ts'

const around = {
  stream: (statement: string) => statement,
  server: (statement: string) => `server { ${statement} }`,
}

// The newest knows the most names; contexts do not change between versions.
describe.each(binaries.filter(({ facts }) => facts.supports.stream).slice(-1))('nginx $facts.version', ({ path, facts }) => {
  test.each(['stream', 'server'] as const)('takes in %s what the table allows there, and nothing else', (context) => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'test.conf')
    const said = (name: string) => {
      const stream = around[context](`${name};`)
      writeFileSync(file, `${loadLines(facts.modules.stream ?? [])}error_log stderr; events {} stream { ${stream} }`)
      return testFile({ path, facts }, folder.path, file).output
    }
    const known = streamContextNames
      .map((name) => ({ name, output: said(name) }))
      .filter(({ output }) => !output.includes('unknown directive'))
    expect(known.length).toBeGreaterThan(60)
    const wrong = known.filter(({ name, output }) => output.includes('is not allowed here') === streamContextsFor(name)!.includes(context))
    expect(wrong).toEqual([])
  })
})
