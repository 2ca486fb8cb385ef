import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { AgentMessageSchema, type MasterMessage, MasterMessageSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type Credentials, masterName } from '../trust.ts'
import { type BatchKind, envelopeOf } from './batches.ts'
import { type GrpcEnd, openGrpcCall } from './grpc.ts'
import type { Payload } from './messages.ts'
import { parseAddress } from './registration.ts'

const path = '/nxmesh.agent.v1.AgentService/Stream'
const longestMessage = 64 * 1024 * 1024

export interface MasterStream extends Disposable {
  /** Sends a payload under a timestamp of its own, which names it; telemetry is dropped, with false, while the connection does not take more. */
  send(payload: Payload, kind?: 'message' | 'telemetry'): boolean
  /** Sends a batch that is encoded already; its timestamp as it will be acknowledged, or undefined while the connection does not take more. */
  sendBatch(kind: BatchKind, bytes: Uint8Array): string | undefined
}

/** Opens the session's stream over TLS 1.3 to a master whose certificate must come from the given CA. */
export function openStream(
  address: string,
  { ca, client }: Credentials,
  agentId: () => string,
  on: { message: (message: MasterMessage) => void; drain: () => void; end: (end: GrpcEnd) => void },
): MasterStream {
  const tls = { ca, minVersion: 'TLSv1.3', servername: masterName, ...(client && { key: client.key, cert: client.chain }) } as const
  const call = openGrpcCall(
    { ...parseAddress(address), path, tls, longestMessage },
    { ...on, message: (bytes) => on.message(fromBinary(MasterMessageSchema, bytes)) },
  )
  let last = 0n
  function nextTime() {
    const now = BigInt(Date.now())
    last = now > last ? now : last + 1n
    return last
  }
  return {
    send(payload, kind = 'message') {
      if (kind === 'telemetry' && call.isFull) return false
      call.write(toBinary(AgentMessageSchema, create(AgentMessageSchema, { agentId: agentId(), timestamp: nextTime(), payload })))
      return true
    },
    sendBatch(kind, bytes) {
      if (call.isFull) return undefined
      const time = nextTime()
      call.write(envelopeOf(agentId(), time, kind, bytes))
      return time.toString()
    },
    [Symbol.dispose]: () => call.cancel(),
  }
}
