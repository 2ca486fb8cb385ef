import type { Route } from '@nxmesh/api/route'
import type { Routes } from '@nxmesh/api/routes'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { Upstream } from '@nxmesh/model/upstream'
import type { z } from 'zod'
import type { Actor } from '../access.ts'
import { diffAgentConfig, getAgentConfig } from '../agent-files.ts'
import { createAgentToken } from '../agent-tokens.ts'
import * as agents from '../agents.ts'
import * as alerts from '../alerts/alerts.ts'
import * as alertRules from '../alerts/rules.ts'
import * as apiTokens from '../api-tokens.ts'
import { listApplies } from '../applies.ts'
import { readAuditLog } from '../audit-log.ts'
import { changePassword, login, logout, openCookie, refresh } from '../auth.ts'
import * as acmeAccounts from '../certificates/accounts.ts'
import * as certificates from '../certificates/certificates.ts'
import * as dnsProviders from '../certificates/dns/providers.ts'
import { tryProvider } from '../certificates/dns/try-out.ts'
import { listInventory } from '../certificates/inventory.ts'
import { listOrders } from '../certificates/orders.ts'
import { revokeCertificate } from '../certificates/revoke.ts'
import { rotateKey } from '../certificates/rotate-key.ts'
import { tryRequest } from '../certificates/try-request.ts'
import { updateCertificate } from '../certificates/update.ts'
import { getCertificateAuthority } from '../certificates/workspace-authority.ts'
import { commandAgent } from '../commands.ts'
import type { Ctx } from '../ctx.ts'
import { getDocument, listDocuments } from '../documents.ts'
import type { Tagged } from '../etag.ts'
import { explainRequest } from '../explain/request.ts'
import { listFindings } from '../findings/findings.ts'
import { importFromAgent, importWorkspace } from '../import.ts'
import * as invitations from '../invitations.ts'
import { meOf } from '../me.ts'
import * as channels from '../notifications/channels.ts'
import * as deliveries from '../notifications/deliveries.ts'
import { tryChannel } from '../notifications/try-out.ts'
import * as organizationMembers from '../organization-members.ts'
import * as organizations from '../organizations.ts'
import { diffRevision, getRevision, listRevisions } from '../revisions.ts'
import { rollbackWorkspace } from '../rollback.ts'
import { getSettings, updateSettings } from '../settings.ts'
import * as streamHosts from '../stream-hosts.ts'
import * as telemetry from '../telemetry.ts'
import { getUpstreamHealth } from '../upstream-health.ts'
import * as upstreams from '../upstreams.ts'
import * as users from '../users.ts'
import * as virtualHosts from '../virtual-hosts.ts'
import * as workspaceMembers from '../workspace-members.ts'
import * as workspaces from '../workspaces.ts'
import type { Headed, Ready, Streamed } from './answer.ts'
import { clearedCookie, sessionCookie } from './session-cookie.ts'

/** A request that has been authenticated, authorised and checked against its route. */
export interface Request<R extends Route> {
  actor: R['access']['on'] extends 'none' ? undefined : R['access']['on'] extends 'anybody' ? Actor | undefined : Actor
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: z.output<R['body']>
  ifMatch: string | undefined
}

type Answer<T> = undefined extends T ? void | Headed<undefined> : T | Tagged<T> | Streamed | Ready | Headed<T>
type Handler<R extends Route> = (ctx: Ctx, request: Request<R>) => Promise<Answer<z.output<R['response']>>>

/** What each operation does: one line from the request to the file of its resource. */
export const handlers: { [Name in keyof Routes]: Handler<Routes[Name]> } = {
  login: (ctx, { body }) => login(ctx, body),
  refresh: (ctx, { body }) => refresh(ctx, body),
  logout: (ctx, { actor, body }) => logout(ctx, actor, body?.refresh_token),
  getMe: (ctx, { actor }) => meOf(ctx, actor),
  changePassword: (ctx, { actor, body }) => changePassword(ctx, actor, body),
  openSession: async (ctx, { body }) => {
    const { actor, cookie } = await openCookie(ctx, body)
    return { headers: { 'set-cookie': sessionCookie(ctx, cookie) }, body: await meOf(ctx, actor) }
  },
  closeSession: async (ctx, { actor }) => {
    await logout(ctx, actor)
    return { headers: { 'set-cookie': clearedCookie(ctx) }, body: undefined }
  },

  listUsers: (ctx, { actor, query }) => users.listUsers(ctx, actor, query),
  createUser: (ctx, { actor, body }) => users.createUser(ctx, actor, body),
  getUser: (ctx, { params }) => users.getUser(ctx, params.user_id),
  updateUser: (ctx, { params, body, ifMatch }) => users.updateUser(ctx, params.user_id, body, ifMatch),
  deleteUser: (ctx, { params, ifMatch }) => users.deleteUser(ctx, params.user_id, ifMatch),
  resetPassword: (ctx, { actor, params }) => users.resetPassword(ctx, actor, params.user_id),

  listOrganizationMembers: (ctx, { params, query }) => organizationMembers.listOrganizationMembers(ctx, params.organization_id, query),
  addOrganizationMember: (ctx, { actor, params, body }) =>
    organizationMembers.addOrganizationMember(ctx, actor, params.organization_id, body),
  getOrganizationMember: (ctx, { params }) => organizationMembers.getOrganizationMember(ctx, params.organization_id, params.user_id),
  updateOrganizationMember: (ctx, { actor, params, body, ifMatch }) =>
    organizationMembers.updateOrganizationMember(ctx, actor, params, body, ifMatch),
  removeOrganizationMember: (ctx, { actor, params, ifMatch }) => organizationMembers.removeOrganizationMember(ctx, actor, params, ifMatch),
  listWorkspaceMembers: (ctx, { params, query }) => workspaceMembers.listWorkspaceMembers(ctx, params.workspace_id, query),
  addWorkspaceMember: (ctx, { params, body }) => workspaceMembers.addWorkspaceMember(ctx, params.workspace_id, body),
  getWorkspaceMember: (ctx, { params }) => workspaceMembers.getWorkspaceMember(ctx, params.workspace_id, params.user_id),
  updateWorkspaceMember: (ctx, { params, body, ifMatch }) => workspaceMembers.updateWorkspaceMember(ctx, params, body, ifMatch),
  removeWorkspaceMember: (ctx, { params, ifMatch }) => workspaceMembers.removeWorkspaceMember(ctx, params, ifMatch),

  listInvitations: (ctx, { params, query }) => invitations.listInvitations(ctx, params.organization_id, query),
  createInvitation: (ctx, { actor, params, body }) => invitations.createInvitation(ctx, actor, params.organization_id, body),
  revokeInvitation: (ctx, { params }) => invitations.revokeInvitation(ctx, params.organization_id, params.invitation_id),
  acceptInvitation: (ctx, { actor, body }) => invitations.acceptInvitation(ctx, actor, body),

  listApiTokens: (ctx, { actor, query }) => apiTokens.listApiTokens(ctx, actor, query),
  createApiToken: (ctx, { actor, body }) => apiTokens.createApiToken(ctx, actor, body),
  getApiToken: (ctx, { params }) => apiTokens.getApiToken(ctx, params.token_id),
  deleteApiToken: (ctx, { params }) => apiTokens.deleteApiToken(ctx, params.token_id),

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

  listCertificates: (ctx, { params, query }) => certificates.listCertificates(ctx, params.workspace_id, query),
  requestCertificate: (ctx, { actor, params, body }) => certificates.requestCertificate(ctx, actor, params.workspace_id, body),
  preflightCertificate: (ctx, { params, body }) => tryRequest(ctx, params.workspace_id, body),
  getCertificate: (ctx, { params }) => certificates.getCertificate(ctx, params.certificate_id),
  getCertificateChain: (ctx, { params }) => certificates.getChain(ctx, params.certificate_id),
  listCertificateOrders: (ctx, { params, query }) => listOrders(ctx, params.certificate_id, query),
  updateCertificate: (ctx, { actor, params, body, ifMatch }) => updateCertificate(ctx, actor, params.certificate_id, body, ifMatch),
  renewCertificate: (ctx, { actor, params, body }) =>
    certificates.renewCertificate(ctx, actor, params.certificate_id, body?.skip_preflight ?? false),
  revokeCertificate: (ctx, { params, body }) => revokeCertificate(ctx, params.certificate_id, body?.reason ?? 'unspecified'),
  deleteCertificate: (ctx, { actor, params, ifMatch }) => certificates.deleteCertificate(ctx, actor, params.certificate_id, ifMatch),
  listCertificateInventory: (ctx, { params, query }) => listInventory(ctx, params.workspace_id, query),
  getCertificateAuthority: (ctx, { params }) => getCertificateAuthority(ctx, params.workspace_id),
  listAcmeAccounts: (ctx, { params, query }) => acmeAccounts.listAccounts(ctx, params.workspace_id, query),
  createAcmeAccount: (ctx, { params, body }) => acmeAccounts.createAccount(ctx, params.workspace_id, body),
  getAcmeAccount: (ctx, { params }) => acmeAccounts.getAccount(ctx, params.acme_account_id),
  updateAcmeAccount: (ctx, { params, body, ifMatch }) => acmeAccounts.updateAccount(ctx, params.acme_account_id, body, ifMatch),
  rotateAcmeAccountKey: (ctx, { actor, params }) => rotateKey(ctx, actor, params.acme_account_id),
  deleteAcmeAccount: (ctx, { params, ifMatch }) => acmeAccounts.deleteAccount(ctx, params.acme_account_id, ifMatch),

  listRevisions: (ctx, { params, query }) => listRevisions(ctx, params.workspace_id, query),
  getRevision: (ctx, { params }) => getRevision(ctx, params.workspace_id, params.version),
  diffRevision: (ctx, { params, query }) => diffRevision(ctx, params.workspace_id, params.version, query.against),
  importWorkspace: (ctx, { actor, params, body }) => importWorkspace(ctx, actor, params.workspace_id, body),
  importFromAgent: (ctx, { actor, params, body }) => importFromAgent(ctx, actor, params.agent_id, body),
  rollbackWorkspace: (ctx, { actor, params, body }) => rollbackWorkspace(ctx, actor, params.workspace_id, body),

  explainRequest: (ctx, { params, body }) => explainRequest(ctx, params.workspace_id, body),

  listWorkspaceAudit: (ctx, { params, query }) => readAuditLog(ctx, { workspaceId: params.workspace_id }, query),
  listOrganizationAudit: (ctx, { params, query }) => readAuditLog(ctx, { organizationId: params.organization_id }, query),

  listAgents: (ctx, { params, query }) => agents.listAgents(ctx, params.workspace_id, query),
  createAgentToken: (ctx, { params, body }) => createAgentToken(ctx, params.workspace_id, body),
  getAgent: (ctx, { params }) => agents.getAgent(ctx, params.agent_id),
  getAgentConfig: (ctx, { params }) => getAgentConfig(ctx, params.agent_id),
  diffAgentConfig: (ctx, { params }) => diffAgentConfig(ctx, params.agent_id),
  listApplies: (ctx, { params, query }) => listApplies(ctx, params.agent_id, query),
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

  getWorkspaceMetrics: (ctx, { params, query }) => telemetry.workspaceMetrics(ctx, params.workspace_id, query),
  getAgentMetrics: (ctx, { params, query }) => telemetry.agentMetrics(ctx, params.agent_id, query),
  listAccessLogs: (ctx, { params, query }) => telemetry.listAccessLogs(ctx, params.workspace_id, query),
  topAccessLogs: (ctx, { params, query }) => telemetry.topAccessLogs(ctx, params.workspace_id, query),
  listErrorLogs: (ctx, { params, query }) => telemetry.listErrorLogs(ctx, params.workspace_id, query),

  listVirtualHosts: (ctx, { params, query }) => virtualHosts.listVirtualHosts(ctx, params.workspace_id, query),
  createVirtualHost: (ctx, { actor, params, body }) => virtualHosts.createVirtualHost(ctx, actor, params.workspace_id, body),
  getVirtualHost: (ctx, { params }) => virtualHosts.getVirtualHost(ctx, params.virtual_host_id),
  updateVirtualHost: (ctx, { actor, params, body, ifMatch }) =>
    virtualHosts.updateVirtualHost(ctx, actor, params.virtual_host_id, body, ifMatch),
  deleteVirtualHost: (ctx, { actor, params, ifMatch }) => virtualHosts.deleteVirtualHost(ctx, actor, params.virtual_host_id, ifMatch),

  listStreamHosts: (ctx, { params, query }) => listDocuments<StreamHost>(ctx, 'stream_hosts', params.workspace_id, query),
  createStreamHost: (ctx, { actor, params, body }) => streamHosts.createStreamHost(ctx, actor, params.workspace_id, body),
  getStreamHost: (ctx, { params }) => getDocument<StreamHost>(ctx.db, 'stream_hosts', params.stream_host_id),
  updateStreamHost: (ctx, { actor, params, body, ifMatch }) =>
    streamHosts.updateStreamHost(ctx, actor, params.stream_host_id, body, ifMatch),
  deleteStreamHost: (ctx, { actor, params, ifMatch }) => streamHosts.deleteStreamHost(ctx, actor, params.stream_host_id, ifMatch),

  listFindings: (ctx, { params, query }) => listFindings(ctx, params.workspace_id, query),

  listAlertRules: (ctx, { params, query }) => alertRules.listAlertRules(ctx, params.workspace_id, query),
  createAlertRule: (ctx, { params, body }) => alertRules.createAlertRule(ctx, params.workspace_id, body),
  getAlertRule: (ctx, { params }) => alertRules.getAlertRule(ctx, params.alert_rule_id),
  updateAlertRule: (ctx, { params, body, ifMatch }) => alertRules.updateAlertRule(ctx, params.alert_rule_id, body, ifMatch),
  deleteAlertRule: (ctx, { params, ifMatch }) => alertRules.deleteAlertRule(ctx, params.alert_rule_id, ifMatch),
  listAlerts: (ctx, { params, query }) => alerts.listAlerts(ctx, params.workspace_id, query),
  getAlert: (ctx, { params }) => alerts.getAlert(ctx, params.alert_id),
  acknowledgeAlert: (ctx, { actor, params }) => alerts.acknowledgeAlert(ctx, actor, params.alert_id),
  resolveAlert: (ctx, { actor, params }) => alerts.resolveAlert(ctx, actor, params.alert_id),

  listUpstreams: (ctx, { params, query }) => listDocuments<Upstream>(ctx, 'upstreams', params.workspace_id, query),
  createUpstream: (ctx, { actor, params, body }) => upstreams.createUpstream(ctx, actor, params.workspace_id, body),
  getUpstream: (ctx, { params }) => getDocument<Upstream>(ctx.db, 'upstreams', params.upstream_id),
  getUpstreamHealth: (ctx, { params, query }) => getUpstreamHealth(ctx, params.upstream_id, query),
  updateUpstream: (ctx, { actor, params, body, ifMatch }) => upstreams.updateUpstream(ctx, actor, params.upstream_id, body, ifMatch),
  deleteUpstream: (ctx, { actor, params, ifMatch }) => upstreams.deleteUpstream(ctx, actor, params.upstream_id, ifMatch),

  listNotificationChannels: (ctx, { params, query }) => channels.listChannels(ctx, params.workspace_id, query),
  createNotificationChannel: (ctx, { params, body }) => channels.createChannel(ctx, params.workspace_id, body),
  getNotificationChannel: (ctx, { params }) => channels.getChannel(ctx, params.notification_channel_id),
  updateNotificationChannel: (ctx, { params, body, ifMatch }) => channels.updateChannel(ctx, params.notification_channel_id, body, ifMatch),
  deleteNotificationChannel: (ctx, { params, ifMatch }) => channels.deleteChannel(ctx, params.notification_channel_id, ifMatch),
  testNotificationChannel: (ctx, { params }) => tryChannel(ctx, params.notification_channel_id),
  listNotificationDeliveries: (ctx, { params, query }) => deliveries.listDeliveries(ctx, params.notification_channel_id, query),
  replayNotificationDelivery: (ctx, { params }) => deliveries.replayDelivery(ctx, params.notification_delivery_id),

  listDnsProviders: (ctx, { params, query }) => dnsProviders.listProviders(ctx, params.workspace_id, query),
  createDnsProvider: (ctx, { params, body }) => dnsProviders.createProvider(ctx, params.workspace_id, body),
  getDnsProvider: (ctx, { params }) => dnsProviders.getProvider(ctx, params.dns_provider_id),
  updateDnsProvider: (ctx, { params, body, ifMatch }) => dnsProviders.updateProvider(ctx, params.dns_provider_id, body, ifMatch),
  deleteDnsProvider: (ctx, { params, ifMatch }) => dnsProviders.deleteProvider(ctx, params.dns_provider_id, ifMatch),
  testDnsProvider: (ctx, { params, body }) => tryProvider(ctx, params.dns_provider_id, body.name),
}
