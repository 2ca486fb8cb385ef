import type { Problem } from '@nxmesh/model/problem'
import type { TargetAgents } from '@nxmesh/model/target-agents'

/** The agents that a target names and the workspace does not have. */
export function targetProblems(target: TargetAgents, agentIds: ReadonlySet<string>): Problem[] {
  if (target.type !== 'agents') return []
  return target.agent_ids.flatMap((id, index): Problem[] => {
    if (agentIds.has(id)) return []
    return [{ field: `target_agents.agent_ids.${index}`, message: 'no such agent in this workspace', code: 'UNKNOWN_REFERENCE' }]
  })
}
