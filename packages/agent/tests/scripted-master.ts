import 'reflect-metadata'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js'
import { type AgentMessage, AgentMessageSchema, type MasterMessage, MasterMessageSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import * as x509 from '@peculiar/x509'

type Call = ServerDuplexStream<AgentMessage, MasterMessage>
type Payload = NonNullable<MessageInitShape<typeof MasterMessageSchema>['payload']>

export interface ScriptedMaster extends AsyncDisposable {
  address: string
  token: string
  caPem: string
  /** Everything agents have said, in order. */
  heard: AgentMessage[]
  /** The common names of client certificates, per connection; empty for none. */
  peers: string[]
  send(payload: Payload): void
  dropSessions(code?: status): void
  /** Stops and goes on reading what agents send. */
  pause(): void
  resume(): void
}

export interface Script {
  heartbeatSeconds?: number
  /** Answer nothing after the registration. */
  silent?: boolean
  refuse?: string
  issue?: boolean
  /** The life that certificates state, after the day they are dated back. */
  lifetimeMs?: number
  port?: number
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000

/** A master that does what a test says: real TLS, real gRPC, no rules. */
export async function startScriptedMaster(script: Script = {}): Promise<ScriptedMaster> {
  const caKeys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const serial = () => `4${randomBytes(8).toString('hex').slice(1)}`
  const life = (ms: number) => ({ notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + ms) })
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=test CA ${randomBytes(3).toString('hex')}`,
    ...life(day),
    keys: caKeys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  const issue = async (publicKey: x509.PublicKeyType, name: string, ms: number, extensions: x509.Extension[]) => {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${name}`,
      issuer: ca.subject,
      ...life(ms),
      publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: algorithm,
      extensions,
    })
    return `${certificate.toString('pem')}\n${ca.toString('pem')}\n`
  }
  const serverKeys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const names = new x509.SubjectAlternativeNameExtension([
    { type: 'dns', value: 'nxmesh-master' },
    { type: 'dns', value: 'localhost' },
  ])
  const serverChain = await issue(serverKeys.publicKey, 'nxmesh-master', day, [names])
  const serverKey = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', serverKeys.privateKey), 'PRIVATE KEY')

  const agentId = crypto.randomUUID()
  const heard: AgentMessage[] = []
  const peers: string[] = []
  const calls = new Set<Call>()
  const certify = (csr: Uint8Array) => {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csr))
    const uri = new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://nxmesh/agent/${agentId}` }])
    return request.verify().then((valid) => {
      if (!valid) throw new Error('the request does not prove its key')
      return issue(request.publicKey, agentId, script.lifetimeMs ?? day, [uri])
    })
  }
  const write = (call: Call, payload: Payload) => call.write(create(MasterMessageSchema, { timestamp: BigInt(Date.now()), payload }))

  async function onMessage(call: Call, message: AgentMessage): Promise<void> {
    heard.push(message)
    const { payload } = message
    if (payload.case === 'registration') {
      if (script.refuse !== undefined) {
        write(call, { case: 'error', value: { code: 'TOKEN_REVOKED', message: script.refuse } })
        call.emit('error', { code: status.UNAUTHENTICATED, details: script.refuse })
        return
      }
      const csr = payload.value.certificateSigningRequest
      const issuedCertificate = csr.length > 0 && script.issue !== false ? { chainPem: await certify(csr) } : undefined
      const heartbeatIntervalSeconds = BigInt(script.heartbeatSeconds ?? 1)
      write(call, {
        case: 'registrationResponse',
        value: { agentId, success: true, heartbeatIntervalSeconds, ...(issuedCertificate && { issuedCertificate }) },
      })
    } else if (script.silent) {
      return
    } else if (payload.case === 'certificateSigningRequest') {
      write(call, { case: 'issuedCertificate', value: { chainPem: await certify(payload.value.der) } })
    } else if (payload.case === 'health' || payload.case === 'event') {
      write(call, { case: 'ack', value: { messageId: String(message.timestamp), success: true } })
    }
  }

  const server = new Server()
  server.addService(
    {
      stream: {
        path: '/nxmesh.agent.v1.AgentService/Stream',
        requestStream: true,
        responseStream: true,
        requestSerialize: (message: AgentMessage) => Buffer.from(toBinary(AgentMessageSchema, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(AgentMessageSchema, bytes),
        responseSerialize: (message: MasterMessage) => Buffer.from(toBinary(MasterMessageSchema, message)),
        responseDeserialize: (bytes: Buffer) => fromBinary(MasterMessageSchema, bytes),
      },
    },
    {
      stream(call: Call) {
        calls.add(call)
        call.on('data', (message: AgentMessage) => void onMessage(call, message))
        for (const event of ['end', 'close', 'error', 'cancelled']) call.on(event, () => calls.delete(call))
        call.on('end', () => call.end())
      },
    },
  )
  // TLS ends here, because grpc-js can only demand a client certificate, not ask for one.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const sockets = new Set<TLSSocket>()
  const tls = createServer(
    {
      key: serverKey,
      cert: serverChain,
      ca: ca.toString('pem'),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
    },
    (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => {})
      if (socket.alpnProtocol !== 'h2') return
      peers.push(String(socket.getPeerCertificate().subject?.CN ?? ''))
      injector.injectConnection(socket)
    },
  )
  tls.listen(script.port ?? 0, '127.0.0.1')
  await once(tls, 'listening')
  const { port } = tls.address() as AddressInfo
  const fingerprint = createHash('sha256').update(Buffer.from(ca.rawData)).digest('hex')
  const body = JSON.stringify({ agent_id: agentId, secret: 'secret', ca: fingerprint })
  return {
    address: `127.0.0.1:${port}`,
    token: `nxmesh_agent_${Buffer.from(body).toString('base64url')}`,
    caPem: ca.toString('pem'),
    heard,
    peers,
    send(payload) {
      for (const call of calls) write(call, payload)
    },
    dropSessions(code = status.UNAVAILABLE) {
      for (const call of calls) call.emit('error', { code, details: 'the session is dropped' })
    },
    pause() {
      for (const call of calls) call.pause()
    },
    resume() {
      for (const call of calls) call.resume()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.forceShutdown()
      await new Promise((closed) => tls.close(closed))
    },
  }
}
