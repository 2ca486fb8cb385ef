import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { AckSchema, AgentMessageSchema, HealthReportSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { peekBatchTimestamp, peekTelemetry } from './telemetry.ts'

/** A message as it arrived: bytes that are no such message are told apart, so that the peer gets a clear error. */
export type Incoming<D extends DescMessage> = { kind: 'message'; message: MessageShape<D> } | { kind: 'malformed' }

/** A message of the stream: telemetry is read no further than is needed to pass it on. */
export type IncomingOfStream =
  | Incoming<typeof AgentMessageSchema>
  | { kind: 'telemetry'; agentId: string; timestamp: bigint; batch: 'logs' | 'metrics'; bytes: Uint8Array }

/** A batch of metrics of a call, as it came, and its timestamp, which names it. */
export type IncomingMetrics = { kind: 'message'; message: { timestamp: bigint; bytes: Uint8Array } } | { kind: 'malformed' }

export type AckReply = { messageId: string; success: boolean; errorMessage: string }

/** The contract's service for grpc-js. Messages of the stream are encoded before they are written, because many agents share one. */
export const agentService = {
  stream: {
    path: '/nxmesh.agent.v1.AgentService/Stream',
    requestStream: true,
    responseStream: true,
    ...serializers(readMessage, (frame: Buffer) => frame),
  },
  reportHealth: {
    path: '/nxmesh.agent.v1.AgentService/ReportHealth',
    requestStream: false,
    responseStream: false,
    ...serializers((bytes) => read(HealthReportSchema, bytes), encodeAck),
  },
  reportMetrics: {
    path: '/nxmesh.agent.v1.AgentService/ReportMetrics',
    requestStream: false,
    responseStream: false,
    ...serializers(readMetrics, encodeAck),
  },
} satisfies ServiceDefinition

function serializers<I, R>(requestDeserialize: (bytes: Buffer) => I, responseSerialize: (response: R) => Buffer) {
  return {
    requestDeserialize,
    requestSerialize: (): Buffer => {
      throw new Error('the master sends no requests')
    },
    responseSerialize,
    responseDeserialize: (): R => {
      throw new Error('the master reads no answers')
    },
  }
}

function readMessage(bytes: Buffer): IncomingOfStream {
  try {
    const telemetry = peekTelemetry(bytes)
    if (telemetry) return { kind: 'telemetry', ...telemetry }
  } catch {
    return { kind: 'malformed' }
  }
  return read(AgentMessageSchema, bytes)
}

function readMetrics(bytes: Buffer): IncomingMetrics {
  const timestamp = peekBatchTimestamp(bytes)
  return timestamp === undefined ? { kind: 'malformed' } : { kind: 'message', message: { timestamp, bytes } }
}

function read<D extends DescMessage>(schema: D, bytes: Buffer): Incoming<D> {
  try {
    return { kind: 'message', message: fromBinary(schema, bytes, { readUnknownFields: false }) }
  } catch {
    return { kind: 'malformed' }
  }
}

function encodeAck(ack: AckReply): Buffer {
  return Buffer.from(toBinary(AckSchema, create(AckSchema, ack)))
}
