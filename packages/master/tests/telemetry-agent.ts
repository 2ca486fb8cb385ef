import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { Client } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { AgentMessageSchema, DeploymentMode, MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { connectNative } from './link-native.ts'

type Payload = NonNullable<MessageInitShape<typeof AgentMessageSchema>['payload']>
type Logs = Extract<Payload, { case: 'logs' }>['value']
type Metrics = Extract<Payload, { case: 'metrics' }>['value']

export type TelemetryAgent = Awaited<ReturnType<typeof connectTelemetryAgent>>

export interface Place {
  port: number
  caPem: string
  client: Client
  workspaceId: string
}

let lastTime = 0n

/** An agent that reports what it is told to, over real gRPC. */
export async function newTelemetryAgent(place: Place, name: string): Promise<TelemetryAgent> {
  const body = { name }
  const made = await place.client.call(routes.createAgentToken, { params: { workspace_id: place.workspaceId }, body })
  return connectTelemetryAgent(place, { id: made.agent_id, token: made.token })
}

export async function connectTelemetryAgent({ port, caPem }: Pick<Place, 'port' | 'caPem'>, { id, token }: { id: string; token: string }) {
  const stream = connectNative(port, caPem)
  stream.send({ case: 'registration', value: { token, deploymentMode: DeploymentMode.STANDALONE, capability: 1 } })
  await stream.next('registrationResponse')
  const say = async (payload: Payload) => {
    const now = BigInt(Date.now())
    lastTime = now > lastTime ? now : lastTime + 1n
    const messageId = lastTime.toString()
    stream.sendRaw(Buffer.from(toBinary(AgentMessageSchema, create(AgentMessageSchema, { agentId: id, timestamp: lastTime, payload }))))
    return stream.ackOf(messageId)
  }
  return {
    id,
    token,
    stream,
    logs: (value: Logs) => say({ case: 'logs', value }),
    metrics: (value: Metrics) => say({ case: 'metrics', value }),
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  }
}

/** An access log line as an agent of ours sends it. */
export function line(timestamp: number, fields: Record<string, string> = {}) {
  const all = {
    remote_addr: '192.168.1.100',
    method: 'GET',
    uri: '/api/error',
    protocol: 'HTTP/1.1',
    host: 'api.example.com',
    status: '500',
    body_bytes_sent: '123',
    response_time_ms: '150.5',
    user_agent: 'Mozilla/5.0...',
    referer: 'https://example.com/',
    request_id: 'req-123-456',
    ...fields,
  }
  return { timestamp: BigInt(timestamp), level: 'access', message: `${all.method} ${all.uri} ${all.protocol}`, fields: all }
}

/** A counter of requests as an agent of ours sends it. */
export function requestsOf(timestamp: number, value: number, labels: Record<string, string> = { status_class: '2xx' }) {
  return { name: 'nginx_http_requests_total', value, timestamp: BigInt(timestamp), labels, type: MetricType.COUNTER }
}

export function gauge(timestamp: number, name: string, value: number) {
  return { name, value, timestamp: BigInt(timestamp), type: MetricType.GAUGE }
}
