import type { Route } from '@nxmesh/api/route'
import type { Routes } from '@nxmesh/api/routes'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { z } from 'zod'
import type { Actor } from '../access.ts'
import { createAgentToken } from '../agent-tokens.ts'
import * as agents from '../agents.ts'
import { readAuditLog } from '../audit-log.ts'
import { login, refresh } from '../auth.ts'
import { commandAgent } from '../commands.ts'
import type { Ctx } from '../ctx.ts'
import { getDocument, listDocuments } from '../documents.ts'
import type { Tagged } from '../etag.ts'
import * as organizations from '../organizations.ts'
import { diffRevision, getRevision, listRevisions } from '../revisions.ts'
import { rollbackWorkspace } from '../rollback.ts'
import { getSettings, updateSettings } from '../settings.ts'
import * as upstreams from '../upstreams.ts'
import * as virtualHosts from '../virtual-hosts.ts'
import * as workspaces from '../workspaces.ts'
import type { Streamed } from './answer.ts'

/** A request that has been authenticated, authorised and checked against its route. */
export interface Request<R extends Route> {
  actor: R['access']['on'] extends 'none' ? undefined : Actor
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: z.output<R['body']>
  ifMatch: string | undefined
}

type Answer<T> = undefined extends T ? void : T | Tagged<T> | Streamed
type Handler<R extends Route> = (ctx: Ctx, request: Request<R>) => Promise<Answer<z.output<R['response']>>>

/** What each operation does: one line from the request to the file of its resource. */
export const handlers: { [Name in keyof Routes]: Handler<Routes[Name]> } = {
  login: (ctx, { body }) => login(ctx, body),
  refresh: (ctx, { body }) => refresh(ctx, body),

  listOrganizations: (ctx, { actor, query }) => organizations.listOrganizations(ctx, actor, query),
  createOrganization: (ctx, { actor, body }) => organizations.createOrganization(ctx, actor, body),
  getOrganization: (ctx, { params }) => organizations.getOrganization(ctx, params.organization_id),
  updateOrganization: (ctx, { params, body, ifMatch }) => organizations.updateOrganization(ctx, params.organization_id, body, ifMatch),
  deleteOrganization: (ctx, { params, query, ifMatch }) =>
    organizations.deleteOrganization(ctx, params.organization_id, query.force === 'true', ifMatch),

  listWorkspaces: (ctx, { actor, params, query }) => workspaces.listWorkspaces(ctx, actor, params.organization_id, query),
  createWorkspace: (ctx, { params, body }) => workspaces.createWorkspace(ctx, params.organization_id, body),
  getWorkspace: (ctx, { params }) => workspaces.getWorkspace(ctx, params.workspace_id),
  updateWorkspace: (ctx, { params, body, ifMatch }) => workspaces.updateWorkspace(ctx, params.workspace_id, body, ifMatch),
  deleteWorkspace: (ctx, { params, query, ifMatch }) =>
    workspaces.deleteWorkspace(ctx, params.workspace_id, query.force === 'true', ifMatch),
  getSettings: (ctx, { params }) => getSettings(ctx, params.workspace_id),
  updateSettings: (ctx, { actor, params, body, ifMatch }) => updateSettings(ctx, actor, params.workspace_id, body, ifMatch),

  listRevisions: (ctx, { params, query }) => listRevisions(ctx, params.workspace_id, query),
  getRevision: (ctx, { params }) => getRevision(ctx, params.workspace_id, params.version),
  diffRevision: (ctx, { params, query }) => diffRevision(ctx, params.workspace_id, params.version, query.against),
  rollbackWorkspace: (ctx, { actor, params, body }) => rollbackWorkspace(ctx, actor, params.workspace_id, body),

  listWorkspaceAudit: (ctx, { params, query }) => readAuditLog(ctx, { workspaceId: params.workspace_id }, query),
  listOrganizationAudit: (ctx, { params, query }) => readAuditLog(ctx, { organizationId: params.organization_id }, query),

  listAgents: (ctx, { params, query }) => agents.listAgents(ctx, params.workspace_id, query),
  createAgentToken: (ctx, { params, body }) => createAgentToken(ctx, params.workspace_id, body),
  getAgent: (ctx, { params }) => agents.getAgent(ctx, params.agent_id),
  updateAgent: (ctx, { params, body, ifMatch }) => agents.updateAgent(ctx, params.agent_id, body, ifMatch),
  deleteAgent: (ctx, { params, ifMatch }) => agents.deleteAgent(ctx, params.agent_id, ifMatch),
  revokeAgent: (ctx, { params }) => agents.revokeAgent(ctx, params.agent_id),
  retryAgent: (ctx, { params }) => agents.retryAgent(ctx, params.agent_id),
  reloadAgent: (ctx, { params }) => commandAgent(ctx, params.agent_id, { kind: 'reload', graceful: true }),
  restartAgent: (ctx, { params, body }) => commandAgent(ctx, params.agent_id, { kind: 'restart', force: body?.force ?? false }),
  stopAgent: (ctx, { params, body }) => {
    const { graceful = true, timeout_seconds = 30 } = body ?? {}
    return commandAgent(ctx, params.agent_id, { kind: 'stop', graceful, timeout_seconds }, timeout_seconds + 5)
  },
  validateAgent: (ctx, { params, body }) =>
    commandAgent(ctx, params.agent_id, { kind: 'validate_config', config_content: body.config_content }),
  refreshAgent: async (ctx, { params }) => {
    await commandAgent(ctx, params.agent_id, { kind: 'get_status' })
    return agents.getAgent(ctx, params.agent_id)
  },

  listVirtualHosts: (ctx, { params, query }) => listDocuments<VirtualHost>(ctx, 'virtual_hosts', params.workspace_id, query),
  createVirtualHost: (ctx, { actor, params, body }) => virtualHosts.createVirtualHost(ctx, actor, params.workspace_id, body),
  getVirtualHost: (ctx, { params }) => getDocument<VirtualHost>(ctx.db, 'virtual_hosts', params.virtual_host_id),
  updateVirtualHost: (ctx, { actor, params, body, ifMatch }) =>
    virtualHosts.updateVirtualHost(ctx, actor, params.virtual_host_id, body, ifMatch),
  deleteVirtualHost: (ctx, { actor, params, ifMatch }) => virtualHosts.deleteVirtualHost(ctx, actor, params.virtual_host_id, ifMatch),

  listUpstreams: (ctx, { params, query }) => listDocuments<Upstream>(ctx, 'upstreams', params.workspace_id, query),
  createUpstream: (ctx, { actor, params, body }) => upstreams.createUpstream(ctx, actor, params.workspace_id, body),
  getUpstream: (ctx, { params }) => getDocument<Upstream>(ctx.db, 'upstreams', params.upstream_id),
  updateUpstream: (ctx, { actor, params, body, ifMatch }) => upstreams.updateUpstream(ctx, actor, params.upstream_id, body, ifMatch),
  deleteUpstream: (ctx, { actor, params, ifMatch }) => upstreams.deleteUpstream(ctx, actor, params.upstream_id, ifMatch),
}
