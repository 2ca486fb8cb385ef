import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type AnyValue,
  ExportLogsServiceRequestSchema,
  ExportLogsServiceResponseSchema,
  ExportMetricsServiceRequestSchema,
  type HistogramDataPoint,
  type KeyValue,
  type LogRecord,
  type Metric,
  type NumberDataPoint,
  RpcStatusSchema,
} from './gen/otlp_pb.ts'

type Plain = string | number | boolean | Plain[] | undefined

export interface ReceivedLog {
  resource: Record<string, Plain>
  attributes: Record<string, Plain>
  body: Plain
  record: LogRecord
}

export interface ReceivedPoint {
  resource: Record<string, Plain>
  attributes: Record<string, Plain>
  metric: Metric
  point: NumberDataPoint | HistogramDataPoint
}

/** How a request is answered: with a status, or not at all. What is answered with 200 is kept. */
export type Behaviour =
  | {
      status: number
      headers?: Record<string, string>
      message?: string
      partial?: MessageInitShape<typeof ExportLogsServiceResponseSchema>
    }
  | 'hang'

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  logs: ReceivedLog[]
  points: ReceivedPoint[]
  /** Before it was compressed. */
  bytes: number
}

export interface Receiver extends AsyncDisposable {
  port: number
  url: string
  logs: ReceivedLog[]
  points: ReceivedPoint[]
  /** Every request, whatever was answered. */
  requests: Received[]
  /** What could not be understood; empty as long as all is well. */
  problems: string[]
  /** How requests are answered from now on. */
  behave(answer: Behaviour | ((request: Received) => Behaviour)): void
}

/** A receiver of OTLP over HTTP that takes nothing which the specification does not have. */
export async function startReceiver(port = 0, tls?: { certPem: string; keyPem: string }): Promise<Receiver> {
  let answer: (request: Received) => Behaviour = () => ({ status: 200 })
  const receiver: Omit<Receiver, 'port' | 'url' | typeof Symbol.asyncDispose> = {
    logs: [],
    points: [],
    requests: [],
    problems: [],
    behave(next) {
      answer = typeof next === 'function' ? next : () => next
    },
  }
  async function take(request: IncomingMessage, response: ServerResponse) {
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part as Buffer)
    } catch {
      return
    }
    let received: Received
    try {
      if (request.method !== 'POST') throw new Error(`method ${request.method}`)
      if (request.headers['content-type'] !== 'application/x-protobuf') throw new Error(`type ${request.headers['content-type']}`)
      const body = Buffer.concat(parts)
      if (Number(request.headers['content-length']) !== body.length) throw new Error('length')
      const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
      received = {
        path: request.url ?? '',
        headers: request.headers,
        bytes: bytes.length,
        ...decode(new URL(request.url ?? '', 'http://receiver').pathname, bytes),
      }
    } catch (error) {
      receiver.problems.push(String(error))
      response.writeHead(400).end()
      return
    }
    receiver.requests.push(received)
    const behaviour = answer(received)
    if (behaviour === 'hang') return
    if (behaviour.status === 200) {
      receiver.logs.push(...received.logs)
      receiver.points.push(...received.points)
    }
    const said =
      behaviour.status === 200
        ? toBinary(ExportLogsServiceResponseSchema, create(ExportLogsServiceResponseSchema, behaviour.partial))
        : toBinary(RpcStatusSchema, create(RpcStatusSchema, { message: behaviour.message ?? '' }))
    response.writeHead(behaviour.status, { 'content-type': 'application/x-protobuf', ...behaviour.headers }).end(said)
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => void take(request, response)
  const server = tls ? createSecureServer({ cert: tls.certPem, key: tls.keyPem }, listener) : createServer(listener)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  return Object.assign(receiver, {
    port: address.port,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

function decode(path: string, bytes: Uint8Array): Pick<Received, 'logs' | 'points'> {
  if (path.endsWith('/v1/logs')) {
    const request = fromBinary(ExportLogsServiceRequestSchema, bytes)
    refuseUnknown(request)
    const logs = request.resourceLogs.flatMap(({ resource, scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) =>
        logRecords.map((record) => ({
          resource: plainOf(resource!.attributes),
          attributes: plainOf(record.attributes),
          body: valueOf(record.body),
          record,
        })),
      ),
    )
    return { logs, points: [] }
  }
  if (!path.endsWith('/v1/metrics')) throw new Error(`path ${path}`)
  const request = fromBinary(ExportMetricsServiceRequestSchema, bytes)
  refuseUnknown(request)
  const points = request.resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap((metric) => {
        if (metric.data.case === undefined) throw new Error(`${metric.name} has no data`)
        return metric.data.value.dataPoints.map((point) => {
          if (point.$typeName === 'otlp.v1.HistogramDataPoint') checkHistogram(point)
          return { resource: plainOf(resource!.attributes), attributes: plainOf(point.attributes), metric, point }
        })
      }),
    ),
  )
  return { logs: [], points }
}

function checkHistogram({ bucketCounts, explicitBounds, count }: HistogramDataPoint): void {
  if (bucketCounts.length !== explicitBounds.length + 1) throw new Error('buckets do not go with bounds')
  if (bucketCounts.reduce((sum, bucket) => sum + bucket, 0n) !== count) throw new Error('buckets do not go with the count')
  if (explicitBounds.some((bound, index) => index > 0 && bound <= explicitBounds[index - 1]!)) throw new Error('bounds do not rise')
}

function refuseUnknown(message: object): void {
  const unknown = (message as { $unknown?: unknown[] }).$unknown
  if (unknown && unknown.length > 0) throw new Error(`unknown fields in ${(message as { $typeName: string }).$typeName}`)
  for (const value of Object.values(message)) {
    for (const part of Array.isArray(value) ? value : [value]) if (typeof part === 'object' && part !== null) refuseUnknown(part)
  }
}

function plainOf(pairs: KeyValue[]): Record<string, Plain> {
  const names = pairs.map(({ key }) => key)
  if (new Set(names).size !== names.length) throw new Error(`an attribute twice among ${names.join(', ')}`)
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]))
}

function valueOf(any: AnyValue | undefined): Plain {
  if (any?.value.case === undefined) throw new Error('a value that is none')
  const { value } = any.value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object') return value
  if ('values' in value && any.value.case === 'arrayValue') return any.value.value.values.map(valueOf)
  throw new Error(`a value of kind ${any.value.case}`)
}
