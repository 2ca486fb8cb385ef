import { ApiError } from '@nxmesh/api/errors'
import type { Ctx } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import { type Agent, agentColumns, factsOf } from './facts.ts'

/** A workspace whose agents are told of. */
export interface Told {
  id: string
  name: string
}

/** What is known of the agents of some workspaces, and what they measured last, in the text format of Prometheus. */
export async function fleetMetrics(ctx: Ctx, workspaces: Told[]): Promise<string> {
  const names = new Map(workspaces.map(({ id, name }) => [id, name]))
  const agents = await agentsOf(ctx, names.keys())
  const labels = new Map(
    agents.map(({ id, name, workspace_id }) => [id, { workspace_id, workspace: names.get(workspace_id)!, agent_id: id, agent: name }]),
  )
  const registry = await factsOf(ctx.db, { workspaces: names, agents, labels })
  const taken = registry.getMetricsAsArray().map(({ name }) => name)
  return `${await registry.metrics()}${await measured(ctx, labels, taken)}`
}

// What the database knows is told also while the telemetry store is away.
async function measured(ctx: Ctx, labels: ReadonlyMap<string, Record<string, string>>, taken: string[]): Promise<string> {
  try {
    return await ctx.telemetry.ask({ kind: 'exposition', labels, taken, now: ctx.now() })
  } catch (error) {
    if (error instanceof ApiError) return ''
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
