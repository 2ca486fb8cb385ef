import type { ErrorCode } from '../errors.ts'
import { contractError } from '../examples/contract.ts'
import type { Route } from '../route.ts'
import { heedsIfMatch } from './headers.ts'
import type { JsonSchema } from './json-schema.ts'

/** What each code means, for the document. */
const meanings: Record<ErrorCode, string> = {
  UNAUTHORIZED: 'The credentials are missing, wrong or no longer valid.',
  FORBIDDEN: 'You may see this resource, but not do this with it.',
  NOT_FOUND: 'There is no such resource, or you may not see it.',
  CONFLICT: 'It conflicts with what is there: a name that is taken, a resource in use, an agent that is offline.',
  PRECONDITION_FAILED: 'The resource was changed meanwhile: its ETag is not the one that If-Match names.',
  VALIDATION_ERROR: 'The request is refused; `details` names each field and the reason.',
  RATE_LIMITED: 'There were too many requests; Retry-After says when to come back.',
  INTERNAL_ERROR: 'Something went wrong in the master; the request id finds it in its log.',
  SERVICE_UNAVAILABLE: 'The database or the agent does not answer now; the same request may succeed later.',
}

const examples: Partial<Record<ErrorCode, object>> = { VALIDATION_ERROR: contractError }

/** The errors a route can answer with: what follows from its method, its path and who may call it, and those it declares. */
export function errorsOf(route: Route, revised: boolean): ErrorCode[] {
  const { access, method, errors } = route
  const open = access.on === 'none'
  const possible: Record<ErrorCode, boolean> = {
    UNAUTHORIZED: !open,
    // Besides roles: API tokens, one-time passwords and cookies open less.
    FORBIDDEN: !open && !(access.on === 'self' && method === 'GET'),
    NOT_FOUND: route.path.includes('{'),
    CONFLICT: !open && method !== 'GET',
    PRECONDITION_FAILED: heedsIfMatch(route, revised),
    VALIDATION_ERROR: true,
    RATE_LIMITED: true,
    INTERNAL_ERROR: true,
    SERVICE_UNAVAILABLE: true,
  }
  return (Object.keys(possible) as ErrorCode[]).filter((code) => possible[code] || errors.includes(code))
}

/** The name of the response that stands for a code, among the document's components. */
export function responseName(code: ErrorCode): string {
  return code
    .toLowerCase()
    .split('_')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('')
}

/** The response that stands for a code. `error` is the schema of all error bodies. */
export function errorResponse(code: ErrorCode, error: JsonSchema, headers: JsonSchema): JsonSchema {
  const example = examples[code] ?? {
    error: { code, message: meanings[code], request_id: 'req-abc-123', details: [] },
  }
  const codeOnly = { type: 'object', properties: { error: { type: 'object', properties: { code: { const: code } } } } }
  return {
    description: meanings[code],
    headers,
    content: { 'application/json': { schema: { allOf: [error, codeOnly] }, example } },
  }
}
