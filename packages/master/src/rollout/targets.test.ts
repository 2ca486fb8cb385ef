import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { hostsOf } from '@nxmesh/model/agent-config'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { TargetAgents } from '@nxmesh/model/target-agents'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { targetsOf } from './targets.ts'

const words = fc.constantFrom('a', 'b', 'c')
const target: fc.Arbitrary<TargetAgents> = fc.oneof(
  fc.constant<TargetAgents>({ type: 'all' }),
  fc
    .array(
      fc.oneof(
        words,
        words.map((key) => `!${key}`),
        fc.tuple(words, words).map(([key, value]) => `${key}=${value}`),
      ),
      { maxLength: 2 },
    )
    .map((parts): TargetAgents => ({ type: 'selector', label_selector: parts.join(',') })),
  fc.array(words, { maxLength: 2 }).map((ids): TargetAgents => ({ type: 'agents', agent_ids: ids })),
)
const labels = fc.dictionary(words, words, { maxKeys: 3 })

function workspace(targets: TargetAgents[]): WorkspaceConfig {
  const hosts = targets.map((target_agents, index) => ({ id: String(index), target_agents }))
  const [virtual_hosts, stream_hosts] = [hosts.slice(0, 3) as VirtualHost[], hosts.slice(3) as StreamHost[]]
  return { version: 1, virtual_hosts, stream_hosts, upstreams: [], certificates: [], settings: { nginx_directives: {}, env_vars: {} } }
}

test('the hosts found by key are those that the model finds, and agents of one key have the same', () => {
  fc.assert(
    fc.property(fc.array(target, { maxLength: 6 }), fc.array(fc.tuple(words, labels), { maxLength: 6 }), (targets, agents) => {
      const config = workspace(targets)
      const found = targetsOf(config)
      const byKey = new Map<string, string>()
      for (const [id, own] of agents) {
        const agent = { id, labels: own }
        const matching = found.matching(agent)
        expect(found.hostsOf(matching)).toEqual(hostsOf(config, agent))
        const key = found.keyOf(id, own)
        expect(byKey.get(key) ?? matching).toBe(matching)
        byKey.set(key, matching)
      }
    }),
  )
})

test('labels that no target asks for do not tell agents apart', () => {
  const found = targetsOf(workspace([{ type: 'selector', label_selector: 'region=eu' }]))
  expect(found.keyOf('1', { region: 'eu', host: 'web-01' })).toBe(found.keyOf('2', { region: 'eu', host: 'web-02' }))
  expect(found.keyOf('1', { region: 'eu' })).not.toBe(found.keyOf('1', {}))
})
