import { globSync } from 'node:fs'
import { routes } from '@nxmesh/api/routes'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startAgentProgram } from '@nxmesh/testkit/programs'
import { addSite } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'

const [faketime] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')

describe.skipIf(faketime === undefined)(
  `an agent whose clock is off${faketime === undefined ? ' (skipped: libfaketime is not installed)' : ''}`,
  () => {
    test.each(['+1h', '-1h', '-20h'])('by %s registers, comes back with its certificate, and applies changes', async (offset) => {
      await using mesh = await startMesh({ agents: 0 })
      await using site = await addSite(mesh, 'site')
      const { id, options } = await mesh.newAgent('adrift')
      const env = { LD_PRELOAD: faketime!, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
      const change = (marker: string) => {
        const body = { custom_directives: { add_header: `X-Marker ${marker} always` } }
        return mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body })
      }
      const began = Date.now()

      const first = await startAgentProgram(options, { env })
      await using _first = first
      await mesh.settled(id)
      await change('first')
      await mesh.settled(id)
      expect((await site.get()).headers['x-marker']).toBe('first')
      await first.end('SIGTERM')
      await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')

      // Its token is worth nothing by now; only the certificate can bring it back.
      const { token: _token, ...withoutToken } = options
      await using _second = await startAgentProgram(withoutToken, { env })
      await mesh.settled(id)
      await change('second')
      const agent = await mesh.settled(id)
      expect((await site.get()).headers['x-marker']).toBe('second')
      for (const time of [agent.created_at, agent.last_seen_at!].map((text) => Date.parse(text))) {
        expect(time).toBeGreaterThanOrEqual(began - 5000)
        expect(time).toBeLessThanOrEqual(Date.now() + 5000)
      }
    })
  },
)
