import { invalid } from '@nxmesh/api/errors'
import type { Tail } from '@nxmesh/api/events'
import type { AccessLogQuery, ErrorLogQuery, TopQuery } from '@nxmesh/api/routes/access-logs'
import type { MetricsQuery } from '@nxmesh/api/routes/metrics'
import type { Ctx } from './ctx.ts'
import type { Ready } from './http/answer.ts'
import { readCursor } from './telemetry/cursor.ts'
import type { AccessFilters, Followed, Position, Query, Window } from './telemetry/query.ts'

const hour = 3_600_000
const mostPoints = 1000
const always: Window = { from: 0, to: Number.MAX_SAFE_INTEGER }

/** What the agents of a workspace served in a window of time. */
export async function workspaceMetrics(ctx: Ctx, workspaceId: string, query: MetricsQuery): Promise<Ready> {
  const window = windowOf(ctx, query)
  return metricsOf(ctx, window, await agentsOf(ctx, workspaceId), query)
}

/** What one agent served in a window of time. */
export async function agentMetrics(ctx: Ctx, agentId: string, query: MetricsQuery): Promise<Ready> {
  return metricsOf(ctx, windowOf(ctx, query), [agentId], query)
}

function metricsOf(ctx: Ctx, window: Window, agents: string[], { step }: MetricsQuery): Promise<Ready> {
  if (step !== undefined && (window.to - window.from) / (step * 1000) > mostPoints) {
    throw invalid([{ field: 'step', message: `must leave at most ${mostPoints} steps between from and to`, code: 'OUT_OF_RANGE' }])
  }
  const milliseconds = step === undefined ? {} : { step: step * 1000 }
  return ask(ctx, { kind: 'metrics', scope: { ...window, agents }, ...milliseconds, now: ctx.now() })
}

export async function listAccessLogs(ctx: Ctx, workspaceId: string, query: AccessLogQuery): Promise<Ready> {
  const { window, after } = pageOf(ctx, query)
  const filters = await filtersOf(ctx, workspaceId, window, query)
  return ask(ctx, { kind: 'access-logs', filters, limit: query.limit, after })
}

export async function topAccessLogs(ctx: Ctx, workspaceId: string, query: TopQuery): Promise<Ready> {
  const filters = await filtersOf(ctx, workspaceId, windowOf(ctx, query), query)
  return ask(ctx, { kind: 'top', filters, by: query.by, limit: query.limit })
}

export async function listErrorLogs(ctx: Ctx, workspaceId: string, query: ErrorLogQuery): Promise<Ready> {
  const { window, after } = pageOf(ctx, query)
  const { level, q, limit, agent_id } = query
  const filters = { ...window, agents: await agentsOf(ctx, workspaceId, agent_id), level, q }
  return ask(ctx, { kind: 'error-logs', filters, limit, after })
}

/** What a log was given from a row number on, as the text of a `TailPart`; without a number, where it ends now. */
export async function readTail(ctx: Ctx, { log, filter }: Tail, from: number | undefined, limit: number): Promise<string> {
  const { workspace_id, ...rest } = filter
  const followed: Followed =
    log === 'access'
      ? { log, filters: await filtersOf(ctx, workspace_id, always, rest) }
      : { log, filters: { ...always, ...rest, agents: await agentsOf(ctx, workspace_id, filter.agent_id) } }
  return ctx.telemetry.ask({ kind: 'tail', ...followed, from, limit })
}

async function ask(ctx: Ctx, query: Query): Promise<Ready> {
  return { json: await ctx.telemetry.ask(query) }
}

// Rows carry their agent alone: whose they are, and whether it is still there, is for the database to say.
async function agentsOf(ctx: Ctx, workspaceId: string, only?: string): Promise<string[]> {
  const agents = ctx.db.selectFrom('agents').select('id').where('workspace_id', '=', workspaceId)
  const rows = await (only === undefined ? agents : agents.where('id', '=', only)).execute()
  return rows.map(({ id }) => id)
}

async function filtersOf(
  ctx: Ctx,
  workspaceId: string,
  window: Window,
  query: Omit<AccessLogQuery, 'from' | 'to' | 'limit' | 'cursor'>,
): Promise<AccessFilters> {
  const { status_code, agent_id, virtual_host_id, host, method, uri, remote_addr, request_id, q } = query
  const agents = await agentsOf(ctx, workspaceId, agent_id)
  const status = status_code === undefined ? undefined : statusesOf(status_code)
  return { ...window, agents, status, host, method, uri, remote_addr, request_id, virtual_host: virtual_host_id, q }
}

function statusesOf(text: string): [number, number] {
  return [Number(text.replaceAll('x', '0')), Number(text.replaceAll('x', '9'))]
}

// A cursor keeps to the window that its list began with, so that pages and total fit each other while time goes on.
function pageOf(
  ctx: Ctx,
  query: { from?: string | undefined; to?: string | undefined; cursor?: string | undefined },
): { window: Window; after?: Position } {
  if (query.cursor === undefined) return { window: windowOf(ctx, query) }
  const read = readCursor(query.cursor)
  if (!read) throw invalid([{ field: 'cursor', message: 'must be the next_cursor of an answer', code: 'INVALID_FORMAT' }])
  const { from, to, ts, seq } = read
  return { window: { from, to }, after: { ts, seq } }
}

function windowOf(ctx: Ctx, query: { from?: string | undefined; to?: string | undefined }): Window {
  const to = query.to === undefined ? ctx.now() : Date.parse(query.to)
  const from = query.from === undefined ? to - hour : Date.parse(query.from)
  if (from < to) return { from, to }
  throw invalid([{ field: query.from === undefined ? 'to' : 'from', message: 'must be before to', code: 'OUT_OF_RANGE' }])
}
