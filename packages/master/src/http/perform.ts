import { invalid } from '@nxmesh/api/errors'
import { type Route, takesIdempotencyKey } from '@nxmesh/api/route'
import { canonicalJson } from '@nxmesh/model/digest'
import type { FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { type Actor, authorise } from '../access.ts'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import { answerOnce, type KeysUnderWay, readKey } from '../idempotency.ts'
import type { Origin } from '../origin.ts'
import { redactedWords } from '../redact.ts'
import { type Answer, answerOf } from './answer.ts'
import type { Request } from './handlers.ts'

export interface Admitted {
  route: Route
  request: FastifyRequest
  handler: (ctx: Ctx, request: Request<Route>) => Promise<unknown>
  admitted: Request<Route>
  underWay: KeysUnderWay
}

/** Does what an admitted request asks for: once, if it came with an Idempotency-Key. */
export async function perform(ctx: Ctx, { route, request, handler, admitted, underWay }: Admitted): Promise<Answer> {
  const origin = originOf(route, request)
  const { actor } = request
  const stillMay = actor && ((db: Kysely<Database>) => authorise(db, actor, route.access, admitted.params as Record<string, string>))
  const asked: Ctx = { ...ctx, origin, ...(stillMay && { stillMay }) }
  const answer = async (inner: Ctx) => answerOf(route, await handler(inner, admitted))
  const key = takesIdempotencyKey(route) ? readKey(request.headers['idempotency-key']) : undefined
  if (key === undefined || !actor) return answer(asked)
  const content = canonicalJson([route.method, request.url, request.body ?? null])
  const keyed = { caller: actor.user_id, key, content, waits: route.waits }
  return answerOnce(asked, keyed, underWay, answer)
}

function originOf(route: Route, request: FastifyRequest): Origin {
  return {
    actor: actorOf(request.actor),
    address: request.ip,
    requestId: request.id,
    action: route.id,
    reason: readReason(request.headers['x-change-reason']),
  }
}

function actorOf(actor: Actor | undefined): Origin['actor'] {
  if (!actor) return { kind: 'unknown', id: null, name: '', token: null }
  const { user_id, email, credential } = actor
  const token = credential.kind === 'api_token' ? { id: credential.id, name: credential.name } : null
  return { kind: 'user', id: user_id, name: email, token }
}

const longestReason = 500

// Headers carry ASCII, so other text comes percent-encoded as UTF-8 (RFC 3986 section 2.1).
function readReason(header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  const text = decoded(utf8(typeof header === 'string' ? header : header.join(', '))).trim()
  if (text === '') return null
  if (text.length <= longestReason && !/[\u0000-\u001f\u007f]/.test(text)) return redactedWords(text)
  const message = `must be at most ${longestReason} characters, without control characters`
  throw invalid([{ field: 'X-Change-Reason', message, code: 'INVALID_FORMAT' }])
}

// Whoever sends it as it is means UTF-8, of which Node makes a character of each byte.
function utf8(header: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
  } catch {
    return header
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
