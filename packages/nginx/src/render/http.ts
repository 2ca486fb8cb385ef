import { accessLogFormat, virtualHostVariable } from '../access-log.ts'
import { hashedKeys } from '../map-keys.ts'
import { dollarDefinition, literal, quote } from '../quote.ts'
import type { Statement } from './custom-directives.ts'
import { bucketSize, mapHashSizes, powerOfTwo } from './hash-size.ts'
import { connectionVariable } from './headers.ts'
import { mimeTypes } from './mime-types.ts'
import { writeOptions } from './options.ts'
import type { PlannedPort } from './plan.ts'
import type { Rendering } from './rendering.ts'
import { writeSettings } from './settings.ts'
import type { RenderTarget } from './target.ts'
import { sessionDirectives, writeTlsPolicy } from './tls.ts'
import type { ConfigWriter } from './writer.ts'

/** What the http block of an nginx of ours sets unless the workspace's settings say otherwise. */
const httpDefaults = [
  ['default_type', 'application/octet-stream'],
  ['sendfile', 'on'],
  ['tcp_nopush', 'on'],
  ['server_tokens', 'off'],
  ['absolute_redirect', 'off'],
  ['port_in_redirect', 'off'],
  ['types_hash_max_size', '2048'],
] as const

/** Writes what comes before the servers: defaults, settings and the variables that our servers use. */
export function renderHttpHead(rendering: Rendering, ports: readonly PlannedPort[]): void {
  const { writer, target, placed } = rendering
  writer.line(`# Written by NxMesh for ${target.digest}: changes made here are lost with the next configuration.`)
  if (target.mode === 'owned') renderDefaults(rendering, ports)
  writeSettings(
    writer,
    placed.http.filter((statement) => statement.name !== 'types'),
    '',
  )
  if (target.mode === 'owned') writeOptions(rendering, placed.options, { source: { kind: 'settings' }, prefix: '', indent: '' })
  writer.from(undefined)
  writer.line(dollarDefinition)
  for (const [kind, idle] of [
    ['kept', '""'],
    ['closed', 'close'],
  ] as const) {
    writer.line(`map $http_upgrade ${connectionVariable[kind]} {`)
    writer.line('    default upgrade;')
    writer.line(`    "" ${idle};`)
    writer.line('}')
  }
  if (target.access_log !== undefined) {
    writer.line(`map "" ${virtualHostVariable} { default ""; }`)
    writer.line(accessLogFormat)
  }
  renderPrivateServer(writer, target)
}

function renderDefaults(rendering: Rendering, ports: readonly PlannedPort[]): void {
  const { writer, target, placed, policy, challenges } = rendering
  const settings = placed.http
  const set = new Set(settings.map((statement) => statement.name))
  const missing = (name: string) => !set.has(name)
  for (const [name, value] of httpDefaults) if (missing(name)) writer.line(`${name} ${value};`)
  const names = ports.flatMap(({ hosts, companions }) => [...hosts, ...companions].flatMap((server) => server.names))
  if (missing('server_names_hash_bucket_size')) writer.line(`server_names_hash_bucket_size ${bucketSize(names)};`)
  if (missing('server_names_hash_max_size')) writer.line(`server_names_hash_max_size ${powerOfTwo(names.length * 4, 1024)};`)
  const keys = settings.flatMap(({ name, text }) => (name === 'map' ? hashedKeys(text) : []))
  keys.push(...Object.keys(challenges?.thumbprints ?? {}))
  for (const [name, value] of mapHashSizes(keys)) if (missing(name)) writer.line(`${name} ${value};`)
  if (target.facts.supports.ssl) {
    writeTlsPolicy(writer, policy, (name) => set.has(name), '')
    for (const [name, value] of sessionDirectives) if (missing(name)) writer.line(`${name} ${value};`)
  }
  renderTypes(
    writer,
    settings.find((statement) => statement.name === 'types'),
    '',
  )
}

/** Writes the media types: nginx's own with those of a `types` directive over them, where nginx alone would forget its own. An empty one is there to forget them. */
export function renderTypes(writer: ConfigWriter, custom: Statement | undefined, indent: string): void {
  if (custom?.types?.length === 0) {
    writer.line(`${indent}types { }`)
    return
  }
  const own = new Map<string, string>()
  for (const [type, extensions] of mimeTypes) for (const extension of extensions.split(' ')) own.set(extension, type)
  for (const { type, extensions } of custom?.types ?? []) for (const extension of extensions) own.set(extension, type)
  const byType = new Map<string, string[]>()
  for (const [extension, type] of own) {
    const extensions = byType.get(type)
    if (extensions) extensions.push(extension)
    else byType.set(type, [extension])
  }
  writer.line(`${indent}types {`)
  for (const [type, extensions] of byType) writer.line(`${indent}    ${quote(type)} ${extensions.map(quote).join(' ')};`)
  writer.line(`${indent}}`)
}

/** Answers the agent, and nobody else, over a unix socket: which digest these workers serve, and nginx's counters. */
function renderPrivateServer(writer: ConfigWriter, target: RenderTarget): void {
  writer.line('server {')
  writer.line(`    listen ${quote(`unix:${target.runtime_directory}/nginx.sock`)};`)
  writer.line('    access_log off;')
  writer.line('    location = /digest {')
  writer.line('        default_type text/plain;')
  writer.line(`        return 200 "${literal(target.digest).replaceAll('"', '')} $pid";`)
  writer.line('    }')
  if (target.facts.supports.stub_status) {
    writer.line('    location = /stub_status {')
    // Access rules and passwords of the http block are not meant for the agent.
    writer.line('        allow all;')
    writer.line('        auth_basic off;')
    writer.line('        stub_status;')
    writer.line('    }')
  }
  writer.line('    location / {')
  writer.line('        return 404;')
  writer.line('    }')
  writer.line('}')
}
