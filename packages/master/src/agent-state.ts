import type { AgentHealth, AgentState } from '@nxmesh/model/agent'
import type { AgentRow } from './db/schema.ts'

type Facts = Pick<AgentRow, 'connected' | 'health' | 'config_status' | 'config_error' | 'findings' | 'left_out' | 'drift'>

/** The state of an agent and, where it is not online, the reason in a sentence: a pure reading of the facts in its row. */
export function stateOf(facts: Facts): { state: AgentState; reason: string | null } {
  if (facts.connected === 0) return { state: 'offline', reason: null }
  const health = facts.health === null ? null : (JSON.parse(facts.health) as AgentHealth)
  if (health?.nginx_status === 'stopped') return { state: 'degraded', reason: 'nginx is not running' }
  if (facts.config_status === 'failed' || facts.config_status === 'rolled_back') {
    return { state: 'degraded', reason: facts.config_error || 'the last config could not be applied' }
  }
  const left = (JSON.parse(facts.findings) as { severity: string; message: string }[]).find((finding) => finding.severity === 'error')
  if (left) return { state: 'degraded', reason: left.message }
  if (facts.left_out !== null) return { state: 'degraded', reason: facts.left_out }
  if (facts.drift !== null) return { state: 'degraded', reason: facts.drift }
  return { state: 'online', reason: null }
}
