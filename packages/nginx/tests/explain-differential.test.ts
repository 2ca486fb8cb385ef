// Explain against real nginx. NXMESH_EXPLAIN_PAIRS asks for more pairs of a configuration and a request, NXMESH_EXPLAIN_SEED for others.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scenario } from './explain/generate.ts'
import { askBoth, type Count, makeWorld } from './explain/world.ts'
import { binaries } from './support/nginx-versions.ts'

const pairs = Number(process.env['NXMESH_EXPLAIN_PAIRS'] ?? 400)
const usual = 26
const seed = Number(process.env['NXMESH_EXPLAIN_SEED'] ?? usual)
const perConfig = 20
const minutes = 60_000

describe.each(binaries)('nginx $facts.version', (binary) => {
  test(
    'explain says of generated requests what nginx does with them',
    async () => {
      await using world = await makeWorld()
      const count: Count = { outcomes: new Map(), https: 0, ipv6: 0, proxied: 0 }
      const property = fc.asyncProperty(scenario(perConfig), async (one) => {
        const [first] = await askBoth(world, binary, one, count)
        if (first) throw new Error(`${first.difference}\n${JSON.stringify(first.ask)}\n${JSON.stringify(first.told, null, 1)}\n${one.http}`)
      })
      await fc.assert(property, { numRuns: Math.ceil(pairs / perConfig), seed, endOnFailure: true })
      const asked = [...count.outcomes.values()].reduce((sum, times) => sum + times, 0)
      expect(asked).toBeGreaterThanOrEqual(pairs)
      // What is not known must be rare, or the rest would prove little.
      expect((count.outcomes.get('unknown') ?? 0) / asked).toBeLessThan(0.05)
      const rare = seed === usual || pairs >= 2000 ? ['grpc_pass', 'fastcgi_pass', 'closed'] : []
      expect([...count.outcomes.keys()]).toEqual(expect.arrayContaining(['proxy_pass', 'file', 'answer', 'redirect', 'error', ...rare]))
      expect(Math.min(count.https, count.ipv6, count.proxied) / asked).toBeGreaterThan(0.1)
    },
    2 * minutes + pairs * 50,
  )
})
