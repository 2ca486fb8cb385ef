import { targetTest } from '@nxmesh/model/target-agents'
import { found, type LintFinding } from './finding.ts'
import type { LintSubject } from './subject.ts'

const rule = {
  severity: 'warning',
  code: 'no_agent',
  source: 'https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
} as const

/** Hosts that are served nowhere, as their target is none of the agents that there are. */
export function noAgent({ virtual_hosts, stream_hosts, agents }: LintSubject): LintFinding[] {
  // Many hosts share few targets.
  const served = new Map<string, boolean>()
  const hosts = [
    ...virtual_hosts.map((host) => ({ kind: 'virtual_host' as const, ...host })),
    ...stream_hosts.map((host) => ({ kind: 'stream_host' as const, ...host })),
  ]
  return hosts.flatMap(({ kind, id, name, target_agents }) => {
    const key = JSON.stringify(target_agents)
    const isServed = served.get(key) ?? agents.some(targetTest(target_agents))
    served.set(key, isServed)
    if (isServed) return []
    const { field, fix } = wordsFor[target_agents.type]
    const many = agents.length === 1 ? 'the one agent' : `any of the ${agents.length} agents`
    const reason =
      agents.length === 0
        ? 'is served nowhere: the workspace has no agent yet'
        : `is served nowhere: its target is not ${many} of the workspace`
    return [found(rule, { kind, id, name }, field, reason, agents.length === 0 ? wordsFor.all.fix : fix)]
  })
}

const wordsFor = {
  all: { field: 'target_agents', fix: 'register an agent in this workspace' },
  selector: { field: 'target_agents.label_selector', fix: 'correct the selector, or give agents the labels that it asks for' },
  agents: { field: 'target_agents.agent_ids', fix: 'name agents that are there' },
} as const
