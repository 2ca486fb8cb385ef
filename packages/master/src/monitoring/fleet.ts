import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { ApiError } from '@nxmesh/api/errors'
import type { Ctx } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import { type Agent, agentColumns, factsOf } from './facts.ts'

const compress = promisify(gzip)

/** A workspace whose agents are told of. */
export interface Told {
  id: string
  name: string
}

/** What is known of the agents of some workspaces, and what they measured last, in the text format of Prometheus, compressed by gzip. */
export async function fleetMetrics(ctx: Ctx, workspaces: Told[]): Promise<Uint8Array> {
  const names = new Map(workspaces.map(({ id, name }) => [id, name]))
  const agents = await agentsOf(ctx, names.keys())
  const labels = new Map(
    agents.map(({ id, name, workspace_id }) => [id, { workspace_id, workspace: names.get(workspace_id)!, agent_id: id, agent: name }]),
  )
  const registry = await factsOf(ctx.db, { workspaces: names, agents, labels })
  const taken = registry.getMetricsAsArray().map(({ name }) => name)
  const head = await registry.metrics()
  try {
    // The text of a large fleet is many megabytes: the process that has the figures makes it.
    return await ctx.telemetry.expose({ kind: 'exposition', head, labels, taken, now: ctx.now() })
  } catch (error) {
    // What the database knows is told also while the telemetry store is away.
    if (error instanceof ApiError) return compress(head)
    throw error
  }
}

// Those that are connected to another master are for that one to tell of: it has what they measure.
async function agentsOf({ db, masterId }: Ctx, workspaces: Iterable<string>): Promise<Agent[]> {
  const agents: Agent[] = []
  for (const ids of inLists(workspaces)) {
    const all = db.selectFrom('agents').select(agentColumns).where('workspace_id', 'in', ids).where('registered_at', 'is not', null)
    agents.push(...(await all.where((eb) => eb.or([eb('connected', '=', 0), eb('master_id', '=', masterId)])).execute()))
  }
  return agents
}
