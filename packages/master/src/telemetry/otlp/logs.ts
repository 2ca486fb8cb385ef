import type { AccessField } from '../schema.ts'
import { byAgent, type KnownAgent, nanoseconds, writeAgent } from './resource.ts'
import { attributeKey, type Value, type WireWriter, wireWriter } from './wire-writer.ts'

interface RowHead {
  ts: number
  seq: number
  agent: string
}

type Cell = string | number | null

export type AccessRow = RowHead & Record<AccessField, Cell>

export type ErrorRow = RowHead & { level: string | null; message: string | null }

// Fields of LogRecord (opentelemetry/proto/logs/v1/logs.proto).
const field = { time: 1, severityNumber: 2, severityText: 3, body: 5, attributes: 6, observedTime: 11 } as const
const textOfAny = 1
const perMillisecond = 1024
const info = 9

// By nginx's levels and by those that other agents may use. Source: opentelemetry.io/docs/specs/otel/logs/data-model-appendix.
const severities: Record<string, number> = {
  trace: 1,
  debug: 5,
  info,
  notice: 10,
  warn: 13,
  warning: 13,
  error: 17,
  crit: 18,
  critical: 18,
  alert: 19,
  emerg: 21,
  fatal: 21,
}

/** Log records of one request to the receiver. `idOf` names a row as the API does. */
export function encodeAccess(rows: readonly AccessRow[], known: ReadonlyMap<string, KnownAgent>, idOf: (row: RowHead) => string) {
  return encode(rows, known, (out, row) => {
    writeHead(out, row, info, 'INFO')
    out.message(field.body, () => out.text(textOfAny, [row.method, row.uri, row.protocol].filter((part) => part !== null).join(' ')))
    writeAttributes(out, accessAttributes(row, idOf(row)))
  })
}

export function encodeErrors(rows: readonly ErrorRow[], known: ReadonlyMap<string, KnownAgent>, idOf: (row: RowHead) => string) {
  return encode(rows, known, (out, row) => {
    writeHead(out, row, severities[row.level?.toLowerCase() ?? ''], row.level ?? '')
    out.message(field.body, () => out.text(textOfAny, row.message ?? ''))
    writeAttributes(out, { 'log.record.uid': idOf(row), 'nxmesh.log': 'error' })
  })
}

function encode<Row extends RowHead>(
  rows: readonly Row[],
  known: ReadonlyMap<string, KnownAgent>,
  write: (out: WireWriter, row: Row) => void,
): Uint8Array<ArrayBuffer> {
  const out = wireWriter()
  for (const [agent, its] of byAgent(rows)) {
    writeAgent(out, agent, known.get(agent), (entries) => {
      for (const row of its) out.message(entries, () => write(out, row))
    })
  }
  return out.written()
}

function writeHead(out: WireWriter, { ts, seq }: RowHead, severity: number | undefined, text: string): void {
  out.fixed64(field.time, nanoseconds(ts))
  // The number of a row goes with the time when it was received.
  out.fixed64(field.observedTime, nanoseconds(seq / perMillisecond))
  if (severity !== undefined) out.varint(field.severityNumber, severity)
  if (text !== '') out.text(field.severityText, text)
}

const keys = new Map<string, Uint8Array>()

function writeAttributes(out: WireWriter, attributes: Record<string, Value | undefined>): void {
  for (const name in attributes) {
    const value = attributes[name]
    if (value === undefined) continue
    let key = keys.get(name)
    if (!key) keys.set(name, (key = attributeKey(name)))
    out.attribute(field.attributes, key, value)
  }
}

// Source: opentelemetry.io/docs/specs/semconv/http/http-spans, RFC 9110 and RFC 5789.
const methods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'])

function accessAttributes(row: AccessRow, id: string): Record<string, Value | undefined> {
  const [method, uri, protocol] = [textOf(row.method), textOf(row.uri), textOf(row.protocol)]
  const query = uri?.indexOf('?') ?? -1
  const isKnown = method === undefined || methods.has(method)
  const referer = textOf(row.referer)
  return {
    'log.record.uid': id,
    'nxmesh.log': 'access',
    'http.request.method': isKnown ? method : '_OTHER',
    'http.request.method_original': isKnown ? undefined : method,
    'url.path': query < 0 ? uri : uri?.slice(0, query),
    'url.query': query < 0 ? undefined : uri?.slice(query + 1),
    'http.response.status_code': integer(row.status),
    'client.address': textOf(row.remote_addr),
    'server.address': textOf(row.host),
    'user_agent.original': textOf(row.user_agent),
    'http.request.header.referer': referer === undefined ? undefined : [referer],
    'network.protocol.name': protocol?.startsWith('HTTP/') ? 'http' : undefined,
    'network.protocol.version': protocol?.startsWith('HTTP/') ? protocol.slice(5).replace(/^([23])\.0$/, '$1') : undefined,
    'http.request.size': integer(row.request_bytes),
    'http.response.size': integer(row.bytes_sent),
    'http.response.body.size': integer(row.body_bytes_sent),
    'nxmesh.request_id': textOf(row.request_id),
    'nxmesh.response_time_ms': row.response_time_ms === null ? undefined : { double: Number(row.response_time_ms) },
    'nxmesh.virtual_host_id': textOf(row.virtual_host),
    'nxmesh.upstream_addr': textOf(row.upstream_addr),
    'nxmesh.upstream_status': textOf(row.upstream_status),
  }
}

function textOf(cell: Cell): string | undefined {
  return cell === null || cell === '' ? undefined : String(cell)
}

function integer(cell: Cell): { integer: number } | undefined {
  return cell === null ? undefined : { integer: Number(cell) }
}
