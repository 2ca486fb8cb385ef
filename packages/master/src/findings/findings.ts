import { ApiError } from '@nxmesh/api/errors'
import type { FindingQuery } from '@nxmesh/api/routes/findings'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { findingSeverities, type WorkspaceFinding } from '@nxmesh/model/workspace-finding'
import type { LintFinding } from '@nxmesh/nginx/lint/finding'
import type { Ctx } from '../ctx.ts'
import { pageOf } from '../page.ts'
import { labelsOf } from '../rollout/desired.ts'
import { needsOf, newestNeed } from '../rollout/understood.ts'
import { loadWorkspaceConfig } from '../workspace-config.ts'
import { lintedWorkspace } from './linted.ts'
import { reportedFindings } from './reported.ts'
import { type ServingAgents, servingAgents } from './serving.ts'

const shownAgents = 100

interface Candidate {
  finding: Omit<WorkspaceFinding, 'agents' | 'agent_ids'>
  agents: () => ReadonlySet<string>
}

/** Everything that is known to be wrong with a workspace's config: by the rules over it, and by its agents. Gravest first. */
export async function listFindings(ctx: Ctx, workspaceId: string, query: FindingQuery) {
  await ctx.agentWrites.flush()
  const config = await loadWorkspaceConfig(ctx.db, workspaceId, ctx.workspaceConfigs)
  if (!config) throw new ApiError('NOT_FOUND', 'workspace not found')
  const agents = await readAgents(ctx, workspaceId)
  const serving = servingAgents(config, agents)
  const linted = await lintedWorkspace(ctx, workspaceId, config, agents)
  const all: Candidate[] = [
    ...linted.map((finding) => ({ finding: ofLint(finding), agents: () => serving(finding.object) })),
    ...unknownThings(workspaceId, config, agents, serving),
    ...reportedFindings(workspaceId, config, agents).map(({ finding, agentIds }) => ({ finding, agents: () => new Set(agentIds) })),
  ]
  const wanted = all.filter((each) => isWanted(each, query)).sort((a, b) => rank(a) - rank(b))
  const { data, meta } = pageOf(wanted, { page: query.page, per_page: query.per_page })
  return { data: data.map(shown), meta }
}

async function readAgents({ db }: Ctx, workspaceId: string) {
  const rows = await db
    .selectFrom('agents')
    .select(['id', 'name', 'capability', 'registered_at', 'findings', 'config_error', 'token_labels', 'reported_labels', 'central_labels'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...row, labels: labelsOf(row) }))
}

function ofLint(finding: LintFinding): Candidate['finding'] {
  return { ...finding, found_by: 'lint' }
}

/** What agents of an older release are to serve and do not know. */
function unknownThings(
  workspaceId: string,
  config: WorkspaceConfig,
  agents: Awaited<ReturnType<typeof readAgents>>,
  serving: ServingAgents,
): Candidate[] {
  const registered = agents.filter(({ registered_at }) => registered_at !== null)
  if (registered.every((agent) => agent.capability >= newestNeed)) return []
  return needsOf(config).flatMap(
    ({ since, finding: { severity, message, kind = 'settings', id = workspaceId, name = 'settings', ...rest } }) => {
      const object = { kind, id, name }
      const meant = serving(object)
      const old = new Set(registered.flatMap((agent) => (agent.capability < since && meant.has(agent.id) ? agent.id : [])))
      if (old.size === 0) return []
      const { code = 'agent_too_old', field = null, fix = null } = rest
      return [{ finding: { severity, code, object, field, reason: message, fix, source: null, found_by: 'agent' }, agents: () => old }]
    },
  )
}

function isWanted({ finding, agents }: Candidate, { severity, kind, object_id, code, agent_id }: FindingQuery): boolean {
  return (
    (severity === undefined || finding.severity === severity) &&
    (kind === undefined || finding.object.kind === kind) &&
    (object_id === undefined || finding.object.id === object_id) &&
    (code === undefined || finding.code === code) &&
    (agent_id === undefined || agents().has(agent_id))
  )
}

function rank({ finding }: Candidate): number {
  return findingSeverities.indexOf(finding.severity)
}

function shown({ finding, agents }: Candidate): WorkspaceFinding {
  const those = agents()
  return { ...finding, agents: those.size, agent_ids: [...those].slice(0, shownAgents) }
}
