import { randomUUID } from 'node:crypto'
import { ApiError, invalid } from '@nxmesh/api/errors'
import { check } from '@nxmesh/api/problems'
import type { Route } from '@nxmesh/api/route'
import { type RouteName, routes } from '@nxmesh/api/routes'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { type Actor, authorise } from '../access.ts'
import type { Ctx } from '../ctx.ts'
import type { Feed } from '../events/feed.ts'
import type { KeysUnderWay } from '../idempotency.ts'
import { send } from './answer.ts'
import { serveDocument } from './document.ts'
import { toAnswer } from './errors.ts'
import { isForEvents, serveEvents } from './events.ts'
import { handlers, type Request } from './handlers.ts'
import { callerOf, identify } from './identify.ts'
import { readJson } from './json.ts'
import { answerMalformed, ignoreExpectations } from './malformed.ts'
import { serveMetrics } from './metrics.ts'
import { perform } from './perform.ts'
import { securityHeaders } from './security-headers.ts'

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor | undefined
    /** When the caller was found out, on the clock of performance.now(). */
    identifiedAt: number
  }
}

const largestBody = 16 * 1024 * 1024
// Who is not signed in has a few words to say.
const largestBodyOfStrangers = 64 * 1024
const longestRequest = 60_000

interface ServerOptions {
  /** Addresses of proxies whose word on who asks is believed. */
  trustedProxies: string[]
  metricsToken: string | undefined
}

/** Builds the HTTP server: the API under `/v1`, bound to the route table, and the probes beside it. It does not listen yet. */
export function createServer(ctx: Ctx, feed: Feed, { trustedProxies, metricsToken }: ServerOptions): FastifyInstance {
  const everywhere = securityHeaders(ctx.publicUrl)
  const commonHeaders = (request: FastifyRequest) => ({ 'x-request-id': request.id, ...everywhere })
  const app = fastify({
    logger: false,
    bodyLimit: largestBody,
    requestTimeout: longestRequest,
    genReqId: (request) => saneRequestId(request.headers['x-request-id']) ?? newRequestId(),
    routerOptions: { maxParamLength: 1000, querystringParser: (text) => queryOf(text) },
    forceCloseConnections: 'idle',
    http: { shouldUpgradeCallback: isForEvents },
    trustProxy: trustedProxies.length > 0 && trustedProxies,
    // An address whose bytes are no text, or with an id longer than any.
    frameworkErrors: (_error, request, reply) => void answerError(ctx, nothingHere(), request, reply.headers(commonHeaders(request))),
    clientErrorHandler: (error, socket) => answerMalformed(error, socket, newRequestId()),
  })
  app.decorateRequest('actor', undefined)
  app.decorateRequest('identifiedAt', 0)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: string) => readJson(body),
  )
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(commonHeaders(request))
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    ctx.monitoring.answered({ route: routeOptions.url, method, status: reply.statusCode, milliseconds: reply.elapsedTime })
  })
  app.setErrorHandler((error, request, reply) => answerError(ctx, error, request, reply))
  app.setNotFoundHandler((request, reply) => answerError(ctx, nothingHere(), request, reply))
  ignoreExpectations(app)
  const underWay: KeysUnderWay = new Set()
  for (const name of Object.keys(routes) as RouteName[]) bind(ctx, app, name, underWay)
  serveDocument(app)
  serveEvents(app, ctx, feed)
  serveMetrics(app, ctx, metricsToken)
  app.get('/.well-known/jwks.json', async () => ctx.tokens.jwks)
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    await ctx.db.selectFrom('organizations').select('id').limit(1).execute()
    // Without telemetry the master does all else, so this is told and is no reason to send requests elsewhere.
    const { state, quarantined } = ctx.telemetry.status()
    return { status: 'ready', telemetry: { state, quarantined } }
  })
  return app
}

function bind(ctx: Ctx, app: FastifyInstance, name: RouteName, underWay: KeysUnderWay): void {
  const route: Route = routes[name]
  const handler = handlers[name] as (ctx: Ctx, request: Request<Route>) => Promise<unknown>
  app.route({
    method: route.method,
    url: `/v1${route.path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    // Before the body is read: nobody's bytes are parsed for a stranger.
    onRequest: async (request, reply) => {
      request.actor = await identify(ctx, route, request, reply)
      request.identifiedAt = performance.now()
    },
    bodyLimit: isOpenToAll(route) ? largestBodyOfStrangers : largestBody,
    handler: async (request, reply) => {
      const answer = await perform(ctx, { route, request, handler, admitted: await admit(ctx, route, request), underWay })
      return send(reply, answer, route.method === 'GET' ? request.headers['if-none-match'] : undefined)
    },
  })
}

// Ids first, then whether the caller may, then what was sent: a stranger learns nothing about what is there.
async function admit(ctx: Ctx, route: Route, request: FastifyRequest): Promise<Request<Route>> {
  // A body may be held back until whoever began it has lost their credentials.
  if (performance.now() - request.identifiedAt > 1000) request.actor = await callerOf(ctx, route, request)
  const params = route.params.safeParse(request.params)
  if (!params.success) throw new ApiError('NOT_FOUND', 'no resource has such an id')
  if (request.actor) await authorise(ctx.db, request.actor, route.access, params.data as Record<string, string>)
  return {
    // Routes open to all have no actor, and their handlers' types say so.
    actor: request.actor as Actor,
    params: params.data,
    query: read(route.query, request.query),
    body: read(route.body, request.body ?? undefined),
    ifMatch: request.headers['if-match'],
  }
}

function read(schema: z.ZodType, value: unknown): unknown {
  const result = check(schema, value)
  if (!result.ok) throw invalid(result.problems.map((problem) => ({ ...problem, field: problem.field || 'body' })))
  return result.value
}

function answerError(ctx: Ctx, error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const { status, body } = toAnswer(ctx, error, request.id)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (error instanceof ApiError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  return reply.code(status).send(body)
}

function isOpenToAll({ access }: Route): boolean {
  return access.on === 'none' || access.on === 'anybody'
}

function nothingHere(): ApiError {
  return new ApiError('NOT_FOUND', 'there is nothing at this address')
}

function newRequestId(): string {
  return `req-${randomUUID()}`
}

function saneRequestId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(header) ? header : undefined
}

// A parameter that comes twice is refused by its schema, which takes text and no list.
function queryOf(text: string): Record<string, string | string[]> {
  if (text === '') return {}
  const parameters = new URLSearchParams(text)
  return Object.fromEntries([...new Set(parameters.keys())].map((key) => [key, one(parameters.getAll(key))]))
}

function one(values: string[]): string | string[] {
  return values.length === 1 ? values[0]! : values
}
