import { describe, expect, test } from 'vitest'
import { contextNames, contextsFor } from '../src/directive-contexts.ts'
import { binaries } from './support/nginx-versions.ts'
import { testHttp } from './support/real-nginx.ts'

const around = {
  http: (statement: string) => statement,
  server: (statement: string) => `server { ${statement} }`,
  location: (statement: string) => `server { location / { ${statement} } }`,
}

// The newest knows the most names; contexts do not change between versions.
describe.each(binaries.slice(-1))('nginx $facts.version', (binary) => {
  test.each(['http', 'server', 'location'] as const)('refuses in %s what the table does not allow there', (context) => {
    const wrong = contextNames.filter((name) => {
      const { output } = testHttp(binary, around[context](`${name};`))
      if (output.includes('unknown directive')) return false
      return output.includes('is not allowed here') === contextsFor(name)!.includes(context)
    })
    expect(wrong).toEqual([])
  })
})
