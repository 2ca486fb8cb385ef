import { ApiError } from '@nxmesh/api/errors'
import type { Route } from '@nxmesh/api/route'
import { routes } from '@nxmesh/api/routes'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../access.ts'
import { networkOf } from '../address.ts'
import { authenticate, authenticateCookie } from '../authenticate.ts'
import type { Ctx } from '../ctx.ts'
import { readSessionCookie, requireOwnPage } from './session-cookie.ts'

/** Finds out who calls a route, counts the request against them, or against their address, and refuses it when there are too many. */
export async function identify(ctx: Ctx, route: Route, request: FastifyRequest, reply: FastifyReply): Promise<Actor | undefined> {
  return counted(ctx, request, reply, () => callerOf(ctx, route, request))
}

/** Counts a request against whom `find` says that it comes from, or against their address. */
export async function counted<A extends Actor | undefined>(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  find: () => Promise<A>,
): Promise<A> {
  const count = (principal: string) => requireAllowance(ctx, principal, reply)
  const address = `address ${networkOf(request.ip)}`
  let actor: A
  try {
    actor = await find()
  } catch (error) {
    if (error instanceof ApiError) count(address)
    throw error
  }
  count(actor ? principalOf(actor) : address)
  return actor
}

/** Who calls a route, by the credentials of the request; undefined where that is nobody's business. Throws UNAUTHORIZED, FORBIDDEN. */
export async function callerOf(ctx: Ctx, route: Route, request: FastifyRequest): Promise<Actor | undefined> {
  const { on } = route.access
  if (on === 'none') {
    if (route.id === routes.openSession.id) requireOwnPage(ctx, request)
    return undefined
  }
  const { authorization } = request.headers
  if (authorization !== undefined) return authenticate(ctx, authorization)
  const cookie = readSessionCookie(ctx, request)
  const actor = cookie === undefined ? undefined : await authenticateCookie(ctx, cookie)
  if (actor) requireOwnPage(ctx, request)
  else if (on !== 'anybody') throw new ApiError('UNAUTHORIZED', 'send an access token as "Authorization: Bearer …"')
  return actor
}

/** By what an actor's requests are counted. Each API token has an allowance of its own: a script of theirs does not lock people out. */
export function principalOf({ user_id, credential }: Actor): string {
  return credential.kind === 'api_token' ? `token ${credential.id}` : `user ${user_id}`
}

function requireAllowance(ctx: Ctx, principal: string, reply: FastifyReply): void {
  const allowance = ctx.rateLimit.take(principal)
  if (!allowance) return
  const { limit, remaining, reset, allowed } = allowance
  reply.headers({
    'x-ratelimit-limit': limit,
    'x-ratelimit-remaining': remaining,
    'x-ratelimit-reset': reset,
    'ratelimit-limit': limit,
    'ratelimit-remaining': remaining,
    'ratelimit-reset': reset,
  })
  if (!allowed) throw new ApiError('RATE_LIMITED', `more than ${limit} requests in a minute`, [], { retryAfter: reset })
}
