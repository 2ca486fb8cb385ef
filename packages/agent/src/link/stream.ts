import { createSecureContext } from 'node:tls'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import { type AgentMessage, AgentMessageSchema, type MasterMessage, MasterMessageSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type Credentials, masterName } from '../trust.ts'
import type { Payload } from './messages.ts'

const path = '/nxmesh.agent.v1.AgentService/Stream'
const longestMessage = 64 * 1024 * 1024

export interface MasterStream extends Disposable {
  call: ClientDuplexStream<AgentMessage, MasterMessage>
  /** Sends a payload; telemetry is dropped while the connection does not take more. Returns the timestamp that names it, if it was sent. */
  send(payload: Payload, kind?: 'message' | 'telemetry'): bigint | undefined
}

/** Opens the session's stream over TLS 1.3 to a master whose certificate must come from the given CA. */
export function openStream(address: string, { ca, client: own }: Credentials, agentId: () => string): MasterStream {
  const context = createSecureContext({ ca, minVersion: 'TLSv1.3', ...(own ? { key: own.key, cert: own.chain } : {}) })
  const client = new Client(address, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': masterName,
    'grpc.default_authority': masterName,
    'grpc.max_receive_message_length': longestMessage,
    'grpc.max_send_message_length': longestMessage,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
  })
  const call = client.makeBidiStreamRequest<AgentMessage, MasterMessage>(
    path,
    (message) => Buffer.from(toBinary(AgentMessageSchema, message)),
    (bytes) => fromBinary(MasterMessageSchema, bytes),
  )
  let last = 0n
  return {
    call,
    send(payload, kind = 'message') {
      if (kind === 'telemetry' && call.writableNeedDrain) return undefined
      const now = BigInt(Date.now())
      last = now > last ? now : last + 1n
      call.write(create(AgentMessageSchema, { agentId: agentId(), timestamp: last, payload }))
      return last
    },
    [Symbol.dispose]() {
      call.cancel()
      client.close()
    },
  }
}
