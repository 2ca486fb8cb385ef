import type { z } from 'zod'
import type { ErrorCode } from '../errors.ts'
import { errorStatus } from '../errors.ts'
import type { Example } from '../examples/example.ts'
import type { Route } from '../route.ts'
import type { Components } from './components.ts'
import { errorsOf, responseName } from './errors.ts'
import { heedsIfNoneMatch, requestHeadersOf, successHeaders } from './headers.ts'
import { type JsonSchema, toJsonSchema } from './json-schema.ts'
import { security } from './security.ts'
import { tagOf } from './tags.ts'

/** A route as an operation of the document. `revised` says that what it answers carries an ETag. */
export function operation(route: Route, revised: boolean, example: Example<unknown>, components: Components): JsonSchema {
  const errors = errorsOf(route, revised)
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [tagOf(route.id)],
    ...securityOf(route),
    parameters: [
      ...parameters(route.params, 'path', {}),
      ...parameters(route.query, 'query', example.query ?? {}),
      ...requestHeadersOf(route, revised).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...requestBody(route, example, components),
    responses: {
      [route.status]: success(route, revised, example, components),
      ...(heedsIfNoneMatch(route, revised) && {
        304: { description: 'It is as If-None-Match says.', headers: successHeaders(route, revised) },
      }),
      ...Object.fromEntries(errors.map((code) => [errorStatus[code], { $ref: `#/components/responses/${responseName(code)}` }])),
    },
  }
}

function securityOf({ access }: Route): JsonSchema {
  if (access.on === 'none') return { security: [] }
  return access.on === 'anybody' ? { security: [{}, ...security] } : {}
}

/** Whether a route has a body or an answer at all. */
export function isEmpty(schema: z.ZodType): boolean {
  return schema.type === 'undefined' || schema.type === 'void'
}

/** The codes that any of these routes can answer with. */
export function errorsAmong(routes: { route: Route; revised: boolean }[]): ErrorCode[] {
  const used = new Set(routes.flatMap(({ route, revised }) => errorsOf(route, revised)))
  return (Object.keys(errorStatus) as ErrorCode[]).filter((code) => used.has(code))
}

// A parameter is text on the wire; what it means is the type that comes out of it, where that can be told.
function parameters(schema: z.ZodType, where: 'path' | 'query', examples: Record<string, string>): JsonSchema[] {
  const [sent, meant] = [toJsonSchema(schema, 'input'), toJsonSchema(schema, 'output')]
  const required = new Set((sent['required'] ?? []) as string[])
  const types = { sent: membersOf(sent), meant: membersOf(meant) }
  return Object.keys(types.sent).map((name) => {
    const { description, ...type } = tells(types.meant[name]) ? types.meant[name]! : types.sent[name]!
    const example = examples[name]
    return {
      name,
      in: where,
      required: where === 'path' || required.has(name),
      ...(description === undefined ? {} : { description }),
      schema: type,
      ...(example === undefined ? {} : { example: type['type'] === 'integer' ? Number(example) : example }),
    }
  })
}

function membersOf(schema: JsonSchema): Record<string, JsonSchema> {
  return (schema['properties'] ?? {}) as Record<string, JsonSchema>
}

function tells(schema: JsonSchema | undefined): boolean {
  return schema !== undefined && ['type', 'enum', 'const', 'anyOf', 'oneOf'].some((key) => key in schema)
}

function requestBody(route: Route, example: Example<unknown>, components: Components): JsonSchema {
  if (isEmpty(route.body)) return {}
  const content = media(components.body(route.body), example.body)
  const patch = route.method === 'PATCH' ? { 'application/merge-patch+json': content } : {}
  return { requestBody: { required: !route.body.safeParse(undefined).success, content: { ...patch, 'application/json': content } } }
}

function success(route: Route, revised: boolean, example: Example<unknown>, components: Components): JsonSchema {
  const headers = successHeaders(route, revised)
  if (isEmpty(route.response)) return { description: 'It is done; there is nothing to show.', headers }
  const description = route.status === 201 ? 'What was created.' : 'What was asked for.'
  const others = Object.fromEntries(route.produces.map((type) => [type, { schema: { type: 'string' } }]))
  return { description, headers, content: { 'application/json': media(components.answer(route.response), example.response), ...others } }
}

function media(schema: JsonSchema, example: unknown): JsonSchema {
  return { schema, ...(example === undefined ? {} : { example }) }
}
