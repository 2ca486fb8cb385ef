import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { AckSchema, AgentMessageSchema, HealthReportSchema, MetricsBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/** A message as it arrived: bytes that are no such message are told apart, so that the peer gets a clear error. */
export type Incoming<D extends DescMessage> = { kind: 'message'; message: MessageShape<D> } | { kind: 'malformed' }

export type AckReply = { messageId: string; success: boolean; errorMessage: string }

/** The contract's service for grpc-js. Messages of the stream are encoded before they are written, because many agents share one. */
export const agentService = {
  stream: {
    path: '/nxmesh.agent.v1.AgentService/Stream',
    requestStream: true,
    responseStream: true,
    ...serializers(AgentMessageSchema, (frame: Buffer) => frame),
  },
  reportHealth: {
    path: '/nxmesh.agent.v1.AgentService/ReportHealth',
    requestStream: false,
    responseStream: false,
    ...serializers(HealthReportSchema, encodeAck),
  },
  reportMetrics: {
    path: '/nxmesh.agent.v1.AgentService/ReportMetrics',
    requestStream: false,
    responseStream: false,
    ...serializers(MetricsBatchSchema, encodeAck),
  },
} satisfies ServiceDefinition

function serializers<D extends DescMessage, R>(request: D, responseSerialize: (response: R) => Buffer) {
  return {
    requestDeserialize: (bytes: Buffer): Incoming<D> => read(request, bytes),
    requestSerialize: (incoming: Incoming<D>): Buffer =>
      incoming.kind === 'message' ? Buffer.from(toBinary(request, incoming.message)) : Buffer.alloc(0),
    responseSerialize,
    responseDeserialize: (): R => {
      throw new Error('the master reads no answers')
    },
  }
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
