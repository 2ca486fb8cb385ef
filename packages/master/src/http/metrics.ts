import { createHash, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ApiError, invalid } from '@nxmesh/api/errors'
import { check } from '@nxmesh/api/problems'
import { id } from '@nxmesh/model/text'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Registry } from 'prom-client'
import { z } from 'zod'
import { seenWorkspaces } from '../access.ts'
import { authenticate } from '../authenticate.ts'
import type { Ctx } from '../ctx.ts'
import { fleetMetrics } from '../monitoring/fleet.ts'
import { counted } from './identify.ts'

const fleetQuery = z.strictObject({ workspace_id: id.optional() })
const headers = { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE, 'cache-control': 'no-store' }
const decompress = promisify(gunzip)

/**
 * Serves what Prometheus reads. The master's own work is for whoever runs it, by the token of the settings; the fleet is for those too, and for
 * everybody else as far as they see it.
 */
export function serveMetrics(app: FastifyInstance, ctx: Ctx, token: string | undefined): void {
  const isOperator = ({ headers: { authorization = '' } }: FastifyRequest) =>
    token !== undefined && isSame(authorization.replace(/^bearer /i, ''), token)

  app.get('/metrics', async (request, reply) => {
    if (token === undefined)
      throw new ApiError('NOT_FOUND', 'this master has no --metrics-token (NXMESH_METRICS_TOKEN), which is needed to read this')
    if (!isOperator(request)) await counted(ctx, request, reply, refuse)
    return reply.headers(headers).send(await ctx.monitoring.registry.metrics())
  })

  app.get('/metrics/fleet', async (request, reply) => {
    const all = isOperator(request) ? await allWorkspaces(ctx) : await workspacesOf(ctx, request, reply)
    const query = check(fleetQuery, request.query)
    if (!query.ok) throw invalid(query.problems)
    const { workspace_id } = query.value
    const asked = workspace_id === undefined ? all : all.filter((workspace) => workspace.id === workspace_id)
    if (workspace_id !== undefined && asked.length === 0) throw new ApiError('NOT_FOUND', 'workspace not found')
    const compressed = await fleetMetrics(ctx, asked)
    reply.headers({ ...headers, vary: 'accept-encoding' })
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(await decompress(compressed))
    return reply.header('content-encoding', 'gzip').send(compressed)
  })
}

async function refuse(): Promise<undefined> {
  throw new ApiError('UNAUTHORIZED', 'send the token of --metrics-token as "Authorization: Bearer …"')
}

async function workspacesOf(ctx: Ctx, request: FastifyRequest, reply: FastifyReply) {
  const { authorization = '' } = request.headers
  const actor = await counted(ctx, request, reply, () => authenticate(ctx, authorization))
  if (actor.must_change_password) throw new ApiError('FORBIDDEN', 'you signed in with a one-time password: set one of your own first')
  return seenWorkspaces(ctx.db, actor)
}

function allWorkspaces({ db }: Ctx) {
  return db.selectFrom('workspaces').select(['id', 'name']).execute()
}

// Of digests, so that the time it takes tells nothing about the token.
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected))
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
