import 'reflect-metadata'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js'
import { AgentMessageSchema, type MasterMessage, MasterMessageSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import * as x509 from '@peculiar/x509'
import { until } from './link-harness.ts'

type Payload = NonNullable<MessageInitShape<typeof AgentMessageSchema>['payload']>

/** A stream that speaks the whole of our protocol, additions included. */
export function connectNative(port: number, caPem: string, certificate?: { cert: string; key: string }) {
  const pair = certificate ? [Buffer.from(certificate.key), Buffer.from(certificate.cert)] : []
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(caPem), ...pair), {
    // Without it the address would be the TLS server name, which RFC 6066 section 3 forbids.
    'grpc.ssl_target_name_override': 'nxmesh-master',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_send_message_length': -1,
  })
  const stream: ClientDuplexStream<Buffer, MasterMessage> = client.makeBidiStreamRequest(
    '/nxmesh.agent.v1.AgentService/Stream',
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => fromBinary(MasterMessageSchema, bytes),
  )
  const received: MasterMessage['payload'][] = []
  stream.on('data', (message: MasterMessage) => received.push(message.payload))
  const ended = new Promise<ServiceError>((resolve) => stream.on('error', (error) => resolve(error as ServiceError)))
  return {
    stream,
    received,
    ended,
    sendRaw: (bytes: Buffer) => stream.write(bytes),
    send(payload: Payload, agentId = '') {
      const message = create(AgentMessageSchema, { agentId, timestamp: BigInt(Date.now()), payload })
      return stream.write(Buffer.from(toBinary(AgentMessageSchema, message)))
    },
    async next<C extends MasterMessage['payload']['case']>(kind: C): Promise<Extract<MasterMessage['payload'], { case: C }>['value']> {
      await until(`a message ${kind}`, () => received.some((payload) => payload.case === kind))
      const index = received.findIndex((payload) => payload.case === kind)
      return received.splice(index, 1)[0]!.value as never
    },
    /** The acknowledgement of one message, whenever it comes. */
    async ackOf(messageId: string) {
      const isIt = (payload: MasterMessage['payload']) => payload.case === 'ack' && payload.value.messageId === messageId
      await until(`an acknowledgement of ${messageId}`, () => received.some(isIt), 20)
      return received.splice(received.findIndex(isIt), 1)[0]!.value as Extract<MasterMessage['payload'], { case: 'ack' }>['value']
    },
    [Symbol.dispose]() {
      stream.cancel()
      client.close()
    },
  }
}

/** A key and a request for a certificate for it. */
export async function newRequest(): Promise<{ csr: Uint8Array<ArrayBuffer>; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'CN=agent', keys, signingAlgorithm: algorithm })
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { csr: new Uint8Array(request.rawData), key }
}
