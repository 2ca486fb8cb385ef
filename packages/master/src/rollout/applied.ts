import { type AgentConfig, agentConfig, filterHosts, hostsOf } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import type { Labels } from '@nxmesh/model/labels'
import type { Ctx } from '../ctx.ts'
import type { AgentRow } from '../db/schema.ts'
import { stateAt } from '../workspace-history.ts'
import { labelsOf } from './desired.ts'
import { givenSince } from './understood.ts'

/**
 * The config that an agent has applied, found again in the history by the labels that the agent had then or has now. Its digest
 * proves it; undefined where none fits, as for an agent that came from another master with a config of its own.
 */
export async function appliedConfigOf(
  { db, secrets }: Pick<Ctx, 'db' | 'secrets'>,
  row: AgentRow,
  digest: string,
): Promise<AgentConfig | undefined> {
  if (row.applied_version === null) return undefined
  const state = { version: row.applied_version, ...(await stateAt(db, row.workspace_id, row.applied_version)) }
  const kept = [row.applied_labels, row.sent_labels].flatMap((text) => (text === null ? [] : [JSON.parse(text) as Labels]))
  const since = givenSince(state)
  const releases = [...new Set(since.values().map((capability) => capability - 1))]
  for (const labels of [...kept, labelsOf(row)]) {
    const hosts = hostsOf(state, { id: row.id, labels })
    // What an agent was not given before it was brought up to date is not in what it applied then.
    for (const release of [Number.POSITIVE_INFINITY, ...releases]) {
      const given = filterHosts(hosts, (host) => (since.get(host) ?? 0) <= release)
      const config = agentConfig(state, given, secrets.open)
      if (digestOf(config) === digest) return config
    }
  }
  return undefined
}
