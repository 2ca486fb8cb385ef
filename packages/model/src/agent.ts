import { z } from 'zod'
import { explained } from './explained.ts'
import { labels } from './labels.ts'
import { serverHealth } from './server-health.ts'
import { id, line, name, timestamp } from './text.ts'

export const agentStates = ['online', 'offline', 'degraded'] as const
export const deploymentModes = ['docker_sidecar', 'kubernetes_sidecar', 'standalone'] as const

export type AgentState = (typeof agentStates)[number]
export type DeploymentMode = (typeof deploymentModes)[number]

export const agentTokenInput = z
  .strictObject({
    name,
    labels: labels.default({}),
    expires_in_hours: z.int().min(1, 'must be from 1 to 8760').max(8760, 'must be from 1 to 8760').default(24),
  })
  .meta({ id: 'AgentTokenInput' })

export type AgentTokenInput = z.infer<typeof agentTokenInput>

export const agentToken = z.strictObject({ token: z.string(), agent_id: id, expires_at: timestamp }).meta({ id: 'AgentToken' })

export const agentChanges = z.strictObject({ name, labels: labels.default({}) }).meta({ id: 'AgentInput' })

export const finding = z
  .strictObject({
    severity: z.enum(['error', 'warning']),
    message: z.string(),
    kind: z.enum(['virtual_host', 'stream_host', 'upstream', 'settings']).optional(),
    id: z.string().optional(),
    name: z.string().optional(),
    field: z.string().optional(),
    file: z.string().optional(),
    line: z.number().optional(),
    ...explained,
  })
  .meta({
    id: 'Finding',
    description: "Something an agent found out about a config: nginx's own words, and the object and field that they point to.",
  })

/** Something an agent found out about a config: nginx's own words, and the object and field that they point to where that is known. */
export type Finding = z.infer<typeof finding>

const configFact = z.strictObject({ version: z.int(), digest: z.string() }).meta({ id: 'ConfigFact' }).nullable()

/** Four facts that are never confused: what the agent should run, what it was sent, what it applied, and what its workers serve; and why they differ. */
export const agentConfigState = z
  .strictObject({
    desired: configFact,
    sent: configFact,
    applied: configFact,
    serving: configFact,
    status: z.enum(['unknown', 'pending', 'validating', 'applying', 'success', 'failed', 'rolled_back']),
    error: z.string().nullable(),
    findings: z.array(finding),
  })
  .meta({
    id: 'AgentConfigState',
    description: 'What the agent should run, what it was sent, what it applied, and what its workers serve; and why they differ.',
  })

export const agentHealth = z
  .strictObject({
    nginx_status: z.enum(['running', 'stopped', 'unknown']),
    nginx_uptime_seconds: z.number(),
    active_connections: z.number(),
    requests_per_second: z.number(),
    cpu_percent: z.number(),
    memory_used_mb: z.number(),
    config_version: z.int(),
    memory_total_mb: z.number(),
    disk_used_mb: z.number(),
    disk_total_mb: z.number(),
    load_average_1m: z.number(),
    nginx_pid: z.int(),
    total_requests: z.number(),
    nginx_version: z.string(),
    nginx_installed_version: z.string(),
    workers: z.int(),
    workers_shutting_down: z.int(),
    drifted: z.boolean(),
    upstream_servers: z.array(serverHealth).meta({ description: 'The servers of upstreams that this agent probes.' }),
  })
  .meta({ id: 'AgentHealth' })

export type AgentHealth = z.infer<typeof agentHealth>

/** An agent as lists show it. */
export const agent = z
  .strictObject({
    id,
    workspace_id: id,
    name,
    hostname: z.string(),
    ip_address: z.string(),
    version: z.string(),
    state: z.enum(agentStates),
    deployment_mode: z.enum(deploymentModes),
    last_seen_at: timestamp.nullable(),
    capabilities: z.array(line(200)),
    labels,
    created_at: timestamp,
  })
  .meta({ id: 'Agent' })

export type Agent = z.infer<typeof agent>

/** An agent with its health and the state of its config. `state_reason` says why it is degraded. */
export const agentDetail = agent
  .extend({
    state_reason: z.string().nullable(),
    health: agentHealth.nullable(),
    config: agentConfigState,
  })
  .meta({ id: 'AgentDetail' })

export type AgentDetail = z.infer<typeof agentDetail>
