import type { ErrorCode } from '../errors.ts'
import type { Route } from '../route.ts'
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
}

/** Whether a route changes a resource that has a revision, and refuses when it is not the one that If-Match names. */
export function heedsIfMatch(route: Route, revised: boolean): boolean {
  return revised && (route.method === 'PATCH' || route.method === 'DELETE')
}

/** The names of the request headers that a route takes, as components. */
export function requestHeadersOf(route: Route, revised: boolean): string[] {
  return ['RequestId', ...(heedsIfMatch(route, revised) ? ['IfMatch'] : [])]
}

/** The headers of a route's answer when it succeeds. */
export function successHeaders(route: Route, revised: boolean): JsonSchema {
  return references(['X-Request-Id', ...(revised && route.status !== 204 ? ['ETag'] : [])])
}

/** The headers of an answer with an error. */
export function errorHeaders(code: ErrorCode): JsonSchema {
  return references(['X-Request-Id', ...(code === 'UNAUTHORIZED' ? ['WWW-Authenticate'] : [])])
}

function references(names: string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
