import { ApiError } from '@nxmesh/api/errors'
import type { FindingQuery } from '@nxmesh/api/routes/findings'
import { findingSeverities, type WorkspaceFinding } from '@nxmesh/model/workspace-finding'
import type { LintFinding } from '@nxmesh/nginx/lint/finding'
import type { Ctx } from '../ctx.ts'
import { pageOf } from '../page.ts'
import { labelsOf } from '../rollout/desired.ts'
import { loadWorkspaceConfig } from '../workspace-config.ts'
import { lintedWorkspace } from './linted.ts'
import { reportedFindings } from './reported.ts'
import { servingAgents } from './serving.ts'

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
    ...reportedFindings(workspaceId, config, agents).map(({ finding, agentIds }) => ({ finding, agents: () => new Set(agentIds) })),
  ]
  const wanted = all.filter((each) => isWanted(each, query)).sort((a, b) => rank(a) - rank(b))
  const { data, meta } = pageOf(wanted, { page: query.page, per_page: query.per_page })
  return { data: data.map(shown), meta }
}

async function readAgents({ db }: Ctx, workspaceId: string) {
  const rows = await db
    .selectFrom('agents')
    .select(['id', 'name', 'findings', 'config_error', 'token_labels', 'reported_labels', 'central_labels'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...row, labels: labelsOf(row) }))
}

function ofLint(finding: LintFinding): Candidate['finding'] {
  return { ...finding, found_by: 'lint' }
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
