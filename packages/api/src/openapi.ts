import { errorBody } from './errors.ts'
import { exampleOf } from './examples/examples.ts'
import { gatherComponents } from './openapi/components.ts'
import { errorResponse, responseName } from './openapi/errors.ts'
import { answerHeaders, errorHeaders, requestHeaders } from './openapi/headers.ts'
import type { JsonSchema } from './openapi/json-schema.ts'
import { errorsAmong, operation } from './openapi/operation.ts'
import { security, securitySchemes } from './openapi/security.ts'
import { tagsOf } from './openapi/tags.ts'
import type { Method, Route } from './route.ts'
import { type RouteName, routes } from './routes.ts'

const description = `Control plane for fleets of nginx. Desired state is stored here; agents bring it to their hosts.

Lists take \`page\` and \`per_page\`. PATCH takes a JSON merge patch (RFC 7396). Unknown fields are refused in what is sent, and
clients have to bear them in what is answered. Every error has the same envelope; its \`code\` is from a closed list.

Live events come over a WebSocket at \`/v1/events\`, which \`docs/events.md\` describes.`

const methods: Method[] = ['GET', 'POST', 'PATCH', 'DELETE']

/** The OpenAPI 3.1 document of the API, made from the route table and nothing else. */
export function openApi(): JsonSchema {
  const table = (Object.keys(routes) as RouteName[])
    .map((name) => ({ name, route: routes[name] as Route, revised: isRevised(routes[name]) }))
    .sort((a, b) => compare(a.route.path, b.route.path) || methods.indexOf(a.route.method) - methods.indexOf(b.route.method))
  const components = gatherComponents()
  const paths: Record<string, Record<string, JsonSchema>> = {}
  for (const { name, route, revised } of table) {
    const operations = (paths[route.path] ??= {})
    operations[route.method.toLowerCase()] = operation(route, revised, exampleOf(name), components)
  }
  const error = components.answer(errorBody)
  const responses = Object.fromEntries(
    errorsAmong(table).map((code) => [responseName(code), errorResponse(code, error, errorHeaders(code))]),
  )
  const { schemas, named } = components.finish()
  return {
    openapi: '3.1.0',
    info: {
      title: 'NxMesh',
      version: '1',
      summary: 'Control plane for fleets of nginx',
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/v1', description: 'This master' }],
    security,
    tags: tagsOf(table.map(({ route }) => route.id).sort(compare)),
    paths: named(paths) as JsonSchema,
    components: {
      schemas,
      responses: named(responses) as JsonSchema,
      parameters: requestHeaders,
      headers: answerHeaders,
      securitySchemes,
    },
  }
}

/** The document as the text that is committed and served. */
export function openApiText(): string {
  return `${JSON.stringify(openApi(), undefined, 2)}\n`
}

// A resource that can be patched has a revision, wherever it is shown by itself.
function isRevised(route: Route): boolean {
  const patches = (Object.values(routes) as Route[]).filter(({ method }) => method === 'PATCH')
  return patches.some(({ path, response }) => path === route.path || (route.status === 201 && response === route.response))
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
