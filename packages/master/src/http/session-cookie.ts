import { ApiError } from '@nxmesh/api/errors'
import type { FastifyRequest } from 'fastify'
import type { Ctx } from '../ctx.ts'
import { cookieLifetime } from '../user-sessions.ts'

type Place = Pick<Ctx, 'publicUrl'>

/** The header that says that a request comes from a page of ours: other origins cannot add it without being asked about first. */
const header = 'x-nxmesh-session'

/** The cookie that carries a session, as the value of Set-Cookie (RFC 6265 section 4.1). */
export function sessionCookie(ctx: Place, value: string): string {
  return cookie(ctx, value, cookieLifetime / 1000)
}

/** The same cookie, taken back. */
export function clearedCookie(ctx: Place): string {
  return cookie(ctx, '', 0)
}

/** The value of the session's cookie in a request, or undefined. */
export function readSessionCookie(ctx: Place, request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const begin = `${nameOf(ctx)}=`
  const pair = request.headers.cookie
    ?.split(';')
    .map((text) => text.trim())
    .find((text) => text.startsWith(begin))
  return pair === undefined || pair === begin ? undefined : pair.slice(begin.length)
}

/**
 * Refuses a request that a page of another origin could have made a browser send along with our cookie: it needs a header
 * that such a page cannot add, and no other origin than ours. Reading is free, because other pages cannot read the answer.
 */
export function requireOwnPage(ctx: Place, request: Pick<FastifyRequest, 'method' | 'headers'>): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  if (request.headers[header] === undefined) {
    throw new ApiError('FORBIDDEN', 'a request that a cookie signs in must carry the header X-NxMesh-Session')
  }
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const strange = origin === undefined ? site !== undefined && site !== 'same-origin' && site !== 'none' : !isOwn(ctx, origin, host)
  if (strange) throw new ApiError('FORBIDDEN', 'a request that a cookie signs in must come from a page of this master')
}

/** Refuses a WebSocket that a page of another origin could have made a browser open along with our cookie: browsers always name the origin. */
export function requireOwnOrigin(ctx: Place, { headers }: Pick<FastifyRequest, 'headers'>): void {
  const { origin, host } = headers
  if (origin === undefined || !isOwn(ctx, origin, host)) {
    throw new ApiError('FORBIDDEN', 'a WebSocket that a cookie signs in must come from a page of this master')
  }
}

function isOwn({ publicUrl }: Place, origin: string, host: string | undefined): boolean {
  if (!URL.canParse(origin)) return false
  const from = new URL(origin)
  return (publicUrl !== undefined && from.origin === new URL(publicUrl).origin) || from.host === host?.toLowerCase()
}

function isSecure({ publicUrl }: Place): boolean {
  return publicUrl?.startsWith('https:') ?? false
}

// A name that begins so is taken from secure hosts alone, and from no neighbour of theirs (RFC 6265bis section 4.1.3.2).
function nameOf(ctx: Place): string {
  return isSecure(ctx) ? '__Host-nxmesh_session' : 'nxmesh_session'
}

function cookie(ctx: Place, value: string, seconds: number): string {
  return `${nameOf(ctx)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure(ctx) ? '; Secure' : ''}`
}
