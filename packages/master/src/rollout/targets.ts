import type { ServedHosts } from '@nxmesh/model/agent-config'
import type { Labels } from '@nxmesh/model/labels'
import { parseSelector } from '@nxmesh/model/selector'
import { type TargetAgents, targetTest } from '@nxmesh/model/target-agents'

/** Which hosts of one version go to which agents, with each distinct target read once. */
export interface Targets {
  /** A short key that is equal for agents which, by what targets ask for, cannot be told apart. */
  keyOf(agentId: string, labels: Labels): string
  /** The distinct targets that match an agent, by number, as a key. */
  matching(agent: { id: string; labels: Labels }): string
  /** The hosts that go with a key of `matching`, in order of creation. */
  hostsOf(matching: string): ServedHosts
}

export function targetsOf({ virtual_hosts, stream_hosts }: ServedHosts): Targets {
  const numbers = new Map<string, number>()
  const tests: ((agent: { id: string; labels: Labels }) => boolean)[] = []
  const asked = new Set<string>()
  const named = new Set<string>()
  const numberOf = ({ target_agents: target }: { target_agents: TargetAgents }) => {
    const key = JSON.stringify(target)
    let number = numbers.get(key)
    if (number === undefined) {
      number = tests.push(targetTest(target)) - 1
      numbers.set(key, number)
      note(target, asked, named)
    }
    return number
  }
  const targetsOfVirtualHosts = virtual_hosts.map(numberOf)
  const targetsOfStreamHosts = stream_hosts.map(numberOf)
  const askedInOrder = [...asked].sort()

  return {
    keyOf(agentId, labels) {
      const values = askedInOrder.map((key) => (Object.hasOwn(labels, key) ? labels[key] : null))
      return JSON.stringify(named.has(agentId) ? [agentId, ...values] : ['', ...values])
    },
    matching: (agent) => tests.flatMap((test, number) => (test(agent) ? number : [])).join(),
    hostsOf(matching) {
      const matched = new Set(matching === '' ? [] : matching.split(',').map(Number))
      return {
        virtual_hosts: virtual_hosts.filter((_host, index) => matched.has(targetsOfVirtualHosts[index]!)),
        stream_hosts: stream_hosts.filter((_host, index) => matched.has(targetsOfStreamHosts[index]!)),
      }
    },
  }
}

function note(target: TargetAgents, asked: Set<string>, named: Set<string>): void {
  switch (target.type) {
    case 'all':
      return
    case 'agents':
      for (const id of target.agent_ids) named.add(id)
      return
    case 'selector': {
      const parsed = parseSelector(target.label_selector)
      if (parsed.ok) for (const requirement of parsed.selector) asked.add(requirement.key)
      return
    }
    default:
      return target satisfies never
  }
}
