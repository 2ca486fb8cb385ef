import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { problemCodes } from '@nxmesh/model/problem'
import { describe, expect, test } from 'vitest'
import { errorBody, errorStatus } from './errors.ts'
import { contractError, contractErrorCodes } from './examples/contract.ts'
import { exampleOf } from './examples/examples.ts'
import type { JsonSchema } from './openapi/json-schema.ts'
import { openApi, openApiText } from './openapi.ts'
import type { Route } from './route.ts'
import { type RouteName, routes } from './routes.ts'

const names = Object.keys(routes) as RouteName[]
const document = openApi() as {
  paths: Record<string, Record<string, JsonSchema & { operationId: string; responses: Record<string, JsonSchema> }>>
  components: { schemas: Record<string, JsonSchema> }
}

test('packages/api/openapi.json is what npm run openapi makes', () => {
  expect(readFileSync(join(import.meta.dirname, '..', 'openapi.json'), 'utf8') === openApiText(), 'run npm run openapi').toBe(true)
})

test('every route is an operation under its id, and nothing else is', () => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [operation.operationId, method.toUpperCase(), path]),
  )
  const table = (Object.values(routes) as Route[]).map((route) => [route.id, route.method, route.path])
  const text = (rows: (string | undefined)[][]) => rows.map((row) => row.join(' ')).sort()
  expect(text(operations)).toEqual(text(table))
})

test('every parameter of a path is declared by its route', () => {
  for (const name of names) {
    const inPath = [...routes[name].path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
    const properties = (document.paths[routes[name].path]![routes[name].method.toLowerCase()]!['parameters'] as JsonSchema[])
      .filter((parameter) => parameter['in'] === 'path')
      .map((parameter) => parameter['name'])
    expect(properties, name).toEqual(inPath)
  }
})

test('no schema shows the expression behind a format, and nothing refers to a name that is not there', () => {
  const text = JSON.stringify(document)
  expect(text).not.toMatch(/"format":"[^"]+","pattern"|"pattern":"[^"]+","format"|\$defs|mergePatchOf|(input|output):/)
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) expect(document.components.schemas).toHaveProperty(name!)
})

describe('a merge patch shows the fields', () => {
  const { VirtualHostPatch: host, UpstreamPatch: upstream, AgentPatch: agent } = document.components.schemas
  const properties = (schema: JsonSchema | undefined) => schema?.['properties'] as Record<string, JsonSchema>

  test('none is required, null clears those that may be left out', () => {
    expect(host).not.toHaveProperty('required')
    expect(host).toHaveProperty('additionalProperties', false)
    expect(properties(host)['name']).toEqual({ type: 'string', minLength: 1, maxLength: 200 })
    expect(properties(host)['http2_enabled']).toEqual({ type: ['boolean', 'null'] })
    expect(properties(host)['ssl_certificate_id']).toEqual({ type: ['string', 'null'], format: 'uuid' })
  })

  test('arrays are replaced by whole items, objects and maps are merged', () => {
    expect(properties(upstream)['servers']).toMatchObject({ items: { $ref: '#/components/schemas/UpstreamServerInput' } })
    expect(properties(upstream)['health_check']).toMatchObject({ anyOf: [{ properties: { interval: { minimum: 1 } } }, { type: 'null' }] })
    expect(properties(upstream)['health_check']).not.toHaveProperty('anyOf.0.required')
    expect(properties(agent)['labels']).toMatchObject({ type: ['object', 'null'], additionalProperties: { type: ['string', 'null'] } })
  })
})

test('docs/api-guidelines.md has a heading for each error with its status, and a row for each reason', () => {
  const guidelines = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'api-guidelines.md'), 'utf8')
  const headings = [...guidelines.matchAll(/^### ([A-Z_]+)\n\n(\d{3})/gm)].map(([, code, status]) => [code, Number(status)])
  expect(headings).toEqual(Object.entries(errorStatus))
  expect([...guidelines.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)).toEqual([...problemCodes])
})

describe('examples', () => {
  test.each(names)('%s: what the document shows is taken and answered by the route', (name) => {
    const { body, response, query } = exampleOf(name)
    const route: Route = routes[name]
    expect(body === undefined || route.body.safeParse(body).success, 'body').toBe(true)
    expect(query === undefined || route.query.safeParse(query).success, 'query').toBe(true)
    if (response !== undefined) expect(route.response.parse(response)).toEqual(response)
  })

  test('the error of the contract has our envelope, and its codes our statuses', () => {
    expect(errorBody.parse(contractError)).toEqual(contractError)
    expect(errorStatus).toMatchObject(contractErrorCodes)
  })
})
