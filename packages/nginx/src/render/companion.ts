import { quote } from '../quote.ts'
import { writeChallengeAnswer } from './challenges.ts'
import { commented } from './comment.ts'
import type { Companion, PlannedPort } from './plan.ts'
import type { Rendering } from './rendering.ts'
import { listen, protocolsOf } from './server.ts'

const indent = '    '

/** Writes the plain side of a virtual host that speaks TLS. */
export function renderCompanion(rendering: Rendering, port: PlannedPort, { host, names, addresses, redirects }: Companion): void {
  const { writer } = rendering
  writer.from({ kind: 'virtual_host', id: host.id, name: host.name, field: 'tls.redirect_http' })
  writer.line(`# plain HTTP for virtual host ${commented(host.name)}, ${commented(host.id)}`)
  writer.line('server {')
  for (const address of addresses) listen(rendering, port.port, address, protocolsOf(port, address))
  writer.line(`${indent}server_name ${names.map(quote).join(' ')};`)
  if (rendering.challenges?.port === port.port) writeChallengeAnswer(writer, indent)
  const suffix = host.listen_port === 443 ? '' : `:${host.listen_port}`
  writer.line(`${indent}location / {`)
  writer.line(`${indent}${indent}${redirects ? `return 301 https://$host${suffix}$request_uri;` : 'return 404;'}`)
  writer.line(`${indent}}`)
  writer.line('}')
}
