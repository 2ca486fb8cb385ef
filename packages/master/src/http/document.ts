import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openApiText } from '@nxmesh/api/openapi'
import type { FastifyInstance } from 'fastify'

// Nothing is loaded from another host, no script stands in the page, and nobody frames it.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>NxMesh API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
`

const start = `SwaggerUIBundle({
  url: '/v1/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
`

const files = [
  { name: 'swagger-ui.css', type: 'text/css; charset=utf-8' },
  { name: 'swagger-ui-bundle.js', type: 'text/javascript; charset=utf-8' },
]

/** Serves the OpenAPI document and its page for people, to anybody: it says what the API is and nothing about what is in it. */
export function serveDocument(app: FastifyInstance): void {
  const text = openApiText()
  const folder = join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static')
  const answer = (path: string, type: string, content: () => string | Promise<Buffer>) =>
    app.get(path, async (_request, reply) => {
      reply.headers({ 'content-type': type, 'content-security-policy': policy, 'cache-control': 'no-cache' })
      return reply.send(await content())
    })
  answer('/v1/openapi.json', 'application/json; charset=utf-8', () => text)
  answer('/docs', 'text/html; charset=utf-8', () => page)
  answer('/docs/start.js', 'text/javascript; charset=utf-8', () => start)
  for (const { name, type } of files) answer(`/docs/${name}`, type, () => readFile(join(folder, name)))
}
