import websocket from '@fastify/websocket'
import { ApiError, invalid } from '@nxmesh/api/errors'
import { eventsQuery } from '@nxmesh/api/events'
import { check } from '@nxmesh/api/problems'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Actor } from '../access.ts'
import { authenticate, authenticateCookie, endOf } from '../authenticate.ts'
import type { Ctx } from '../ctx.ts'
import type { Feed } from '../events/feed.ts'
import type { Pass } from '../events/pass.ts'
import { counted, principalOf } from './identify.ts'
import { readSessionCookie, requireOwnOrigin } from './session-cookie.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who listens and where they begin, on a request that opens a WebSocket. */
    arrival: { pass: Pass; place: number | undefined } | undefined
  }
}

const path = '/v1/events'
const protocol = 'nxmesh'
const largestMessage = 16_384

/** Whether a request wants to become a WebSocket; every other one is answered as if it had not asked to be upgraded. */
export function isForEvents({ url, headers }: { url?: string | undefined; headers: { upgrade?: string | undefined } }): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && url?.split('?')[0] === path
}

/** Serves the WebSocket of events. The token in its address is read here and nowhere else. */
export function serveEvents(app: FastifyInstance, ctx: Ctx, feed: Feed): void {
  app.decorateRequest('arrival', undefined)
  void app.register(websocket, {
    options: {
      maxPayload: largestMessage,
      perMessageDeflate: false,
      clientTracking: false,
      // The protocol that carries a token is never said back.
      handleProtocols: (offered: Set<string>) => (offered.has(protocol) ? protocol : false),
    },
    // The feed says goodbye to its clients itself, before the server closes.
    preClose: (done) => done(),
    errorHandler: (error, socket) => {
      ctx.log.debug({ reason: error.message }, 'a listener’s socket failed')
      socket.terminate()
    },
  })
  void app.register(async (scope) => {
    scope.route({
      method: 'GET',
      url: path,
      exposeHeadRoute: false,
      onRequest: async (request, reply) => {
        const actor = await counted(ctx, request, reply, () => listenerOf(ctx, request))
        const query = check(eventsQuery, request.query)
        if (!query.ok) throw invalid(query.problems)
        if (actor.must_change_password) {
          throw new ApiError('FORBIDDEN', 'you signed in with a one-time password: set one of your own first, with POST /v1/auth/password')
        }
        const principal = principalOf(actor)
        const pass = { actor, principal, ends: (await tokenEnd(ctx, request)) ?? Number.POSITIVE_INFINITY }
        // Before the client hears that it is in: it is told of all that happens from then on.
        request.arrival = { pass, place: await feed.placeOf(query.value.last_event_id) }
        // A socket that is gone already tells of no end any more.
        const { socket } = request.raw
        if (request.ws && !socket.destroyed) socket.once('close', feed.takePlace(principal))
      },
      handler: async () => {
        throw invalid([{ field: 'Upgrade', message: 'must be websocket: this address is for a WebSocket', code: 'REQUIRED' }])
      },
      wsHandler: (socket, request) => attend(feed, socket, request.arrival!),
    })
  })
}

function attend(feed: Feed, socket: WebSocket, { pass, place }: NonNullable<FastifyRequest['arrival']>): void {
  const listener = feed.admit(socket, pass, place)
  socket.on('message', (data: Buffer) => listener.hear(data.toString()))
  socket.on('pong', () => listener.answered())
  socket.on('close', () => feed.leave(listener))
}

async function listenerOf(ctx: Ctx, request: FastifyRequest): Promise<Actor> {
  const authorization = authorizationOf(request)
  if (authorization !== undefined) return authenticate(ctx, authorization)
  const cookie = readSessionCookie(ctx, request)
  const actor = cookie === undefined ? undefined : await authenticateCookie(ctx, cookie)
  if (!actor) throw new ApiError('UNAUTHORIZED', 'send an access token as ?token=…, "Authorization: Bearer …" or the protocol "bearer.…"')
  requireOwnOrigin(ctx, request)
  return actor
}

async function tokenEnd(ctx: Ctx, request: FastifyRequest): Promise<number | undefined> {
  const token = authorizationOf(request)?.replace(/^Bearer /i, '')
  return token === undefined ? undefined : endOf(ctx, token)
}

// Browsers can send no header with a WebSocket, but an address, or a protocol beside the one that is spoken.
function authorizationOf({ headers, query }: FastifyRequest): string | undefined {
  if (headers.authorization !== undefined) return headers.authorization
  const { token } = query as { token?: unknown }
  if (typeof token === 'string') return `Bearer ${token}`
  const offered = headers['sec-websocket-protocol']?.split(',').map((text) => text.trim())
  const bearer = offered?.find((text) => text.startsWith('bearer.'))
  return bearer && `Bearer ${bearer.slice('bearer.'.length)}`
}
