import type { ErrorCode } from '../errors.ts'
import { type Route, takesIdempotencyKey } from '../route.ts'
import type { JsonSchema } from './json-schema.ts'

/** Headers that answers carry, by name. */
export const answerHeaders: Record<string, JsonSchema> = {
  'X-Request-Id': {
    description: 'The id of this request: the one that was sent, or a new one. It is in the log, and in the body of errors.',
    required: true,
    schema: { type: 'string', maxLength: 128 },
    example: 'req-abc-123',
  },
  ETag: {
    description: 'The revision of the resource, for If-Match of the next change.',
    required: true,
    schema: { type: 'string', pattern: '^"[^"]+"$' },
    example: '"3"',
  },
  'Idempotent-Replayed': {
    description: 'Is there when this is the answer that the same request got before.',
    schema: { const: 'true' },
    example: 'true',
  },
  'X-RateLimit-Limit': {
    description: 'Requests that you may make in a minute; absent where there is no limit. `RateLimit-Limit` says the same.',
    schema: { type: 'integer', minimum: 1 },
    example: 1000,
  },
  'X-RateLimit-Remaining': {
    description: 'Requests that are left in this minute; `RateLimit-Remaining` says the same.',
    schema: { type: 'integer', minimum: 0 },
    example: 987,
  },
  'X-RateLimit-Reset': {
    description: 'Seconds until the next minute begins; `RateLimit-Reset` says the same.',
    schema: { type: 'integer', minimum: 1, maximum: 60 },
    example: 42,
  },
  'Retry-After': {
    description: 'Seconds to wait before the next attempt.',
    required: true,
    schema: { type: 'integer', minimum: 1 },
    example: 42,
  },
  'WWW-Authenticate': {
    description: 'How to authenticate.',
    required: true,
    schema: { type: 'string' },
    example: 'Bearer',
  },
}

/** Headers that requests may carry, by the name of their component. */
export const requestHeaders: Record<string, JsonSchema> = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'An id of your own for this request; letters, digits and `._:-`, at most 128. Anything else is replaced.',
    schema: { type: 'string' },
    example: 'req-abc-123',
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    description: 'The ETag that you read: the change is refused with 412 if the resource has another by now.',
    schema: { type: 'string' },
    example: '"3"',
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETag that you have: the answer is 304 and empty if it is still the same.',
    schema: { type: 'string' },
    example: '"3"',
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A word of your own that makes it safe to send this again: the same key and request get the answer of the first time, for 24 hours, and nothing is done twice. The same key with another request is refused with 422, and with 409 while the first is under way.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
  },
  ChangeReason: {
    name: 'X-Change-Reason',
    in: 'header',
    description: 'Why you do this, for revisions and the audit log: at most 500 characters, percent-encoded where they are not ASCII.',
    schema: { type: 'string' },
    example: 'moves%20to%20the%20new%20backend',
  },
  Session: {
    name: 'X-NxMesh-Session',
    in: 'header',
    description: 'Any value: needed where a cookie says who calls, and to open a session with one. Pages of other sites cannot send it.',
    schema: { type: 'string' },
    example: '1',
  },
}

/** Whether a route changes a resource that has a revision, and refuses when it is not the one that If-Match names. */
export function heedsIfMatch(route: Route, revised: boolean): boolean {
  return revised && (route.method === 'PATCH' || route.method === 'DELETE')
}

/** Whether a route need not send again what If-None-Match names. */
export function heedsIfNoneMatch(route: Route, revised: boolean): boolean {
  return revised && route.method === 'GET'
}

/** The names of the request headers that a route takes, as components. */
export function requestHeadersOf(route: Route, revised: boolean): string[] {
  const taken: Record<string, boolean> = {
    RequestId: true,
    IfMatch: heedsIfMatch(route, revised),
    IfNoneMatch: heedsIfNoneMatch(route, revised),
    IdempotencyKey: takesIdempotencyKey(route),
    ChangeReason: route.method !== 'GET' && route.access.on !== 'none',
    Session: route.method !== 'GET',
  }
  return Object.keys(taken).filter((name) => taken[name])
}

const rateHeaders = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset']

/** The headers of a route's answer when it succeeds. */
export function successHeaders(route: Route, revised: boolean): JsonSchema {
  const tagged = revised && route.status !== 204
  return references([
    'X-Request-Id',
    ...rateHeaders,
    ...(tagged ? ['ETag'] : []),
    ...(takesIdempotencyKey(route) ? ['Idempotent-Replayed'] : []),
  ])
}

/** The headers of an answer with an error. */
export function errorHeaders(code: ErrorCode): JsonSchema {
  const own: Partial<Record<ErrorCode, string[]>> = { UNAUTHORIZED: ['WWW-Authenticate'], RATE_LIMITED: ['Retry-After'] }
  return references(['X-Request-Id', ...rateHeaders, ...(own[code] ?? [])])
}

function references(names: string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
