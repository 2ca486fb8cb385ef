import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { Ctx } from '../ctx.ts'
import { openConnections } from './connections.ts'
import { agentService } from './definition.ts'
import { handleHealth, handleMetrics, handleStream, type Link } from './service.ts'

export interface LinkOptions {
  host: string
  port: number
  /** Names and addresses besides the usual ones that the master's certificate is to cover. */
  names: string[]
  heartbeat_interval_seconds: number
  /** How long a peer may take to show who it is, in milliseconds; 10 s unless said otherwise. */
  registration_timeout_ms?: number
}

export interface RunningLink extends AsyncDisposable {
  host: string
  port: number
  /** Open TLS connections. */
  connections(): number
}

const day = 86_400_000
const limits = {
  'grpc.max_receive_message_length': 4 * 1_048_576,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': 16,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // Megabytes; counts what waits to be written too, and a large config may wait for a slow agent.
  'grpc-node.max_session_memory': 64,
  'grpc.enable_channelz': 0,
}
const partingTime = 500

/** Serves the agents: gRPC over TLS 1.3 with the master's own CA, client certificates asked for but not demanded. */
export async function startLink(ctx: Ctx, options: LinkOptions): Promise<RunningLink> {
  const registrationTimeout = options.registration_timeout_ms ?? 10_000
  // A little later than a stream's own deadline, whose end carries the reason.
  const connections = openConnections(registrationTimeout + partingTime)
  const link: Link = { ctx, connections, heartbeatSeconds: options.heartbeat_interval_seconds, registrationTimeout }
  const server = new Server(limits)
  server.addService(agentService, {
    stream: (call: Parameters<typeof handleStream>[1]) => handleStream(link, call),
    reportHealth: (call: Parameters<typeof handleHealth>[1], reply: Parameters<typeof handleHealth>[2]) => handleHealth(link, call, reply),
    reportMetrics: (call: Parameters<typeof handleMetrics>[1], reply: Parameters<typeof handleMetrics>[2]) =>
      handleMetrics(link, call, reply),
  })
  // TLS ends here and not in grpc-js, so that every connection is known, also one that never speaks gRPC.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const context = async () => {
    const { certPem, keyPem } = await ctx.authority.serverCertificate(options.names)
    return { cert: certPem, key: keyPem, ca: ctx.authority.caPem, minVersion: 'TLSv1.3' as const }
  }
  const tls = createServer({
    ...(await context()),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    handshakeTimeout: registrationTimeout,
  })
  // Also those whose handshake has not ended must not keep the master from stopping.
  const sockets = new Set<Socket>()
  tls.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  tls.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol !== 'h2') return socket.destroy()
    socket.setNoDelay(true)
    connections.add(socket)
    injector.injectConnection(socket)
  })
  tls.on('tlsClientError', (error, socket) => {
    ctx.log.debug({ reason: error.message, address: socket.remoteAddress }, 'TLS handshake failed')
    socket.destroy()
  })
  const renewal = setInterval(() => {
    context().then(
      (renewed) => tls.setSecureContext(renewed),
      (error: unknown) => ctx.log.error({ err: error }, 'the certificate of the agents’ listener could not be renewed'),
    )
  }, day)
  renewal.unref()

  tls.listen({ host: options.host, port: options.port, backlog: 4096 })
  await once(tls, 'listening')
  return {
    host: options.host,
    port: (tls.address() as AddressInfo).port,
    connections: connections.size,
    async [Symbol.asyncDispose]() {
      clearInterval(renewal)
      const closed = new Promise<void>((resolve) => tls.close(() => resolve()))
      for (const session of ctx.sessions.all()) {
        session.end({ status: status.UNAVAILABLE, code: 'MASTER_STOPPING', message: 'the master is stopping' })
      }
      const parting = setTimeout(() => {
        connections.destroyAll()
        for (const socket of sockets) socket.destroy()
      }, partingTime)
      injector.drain(partingTime)
      await closed
      clearTimeout(parting)
      injector.destroy()
      server.forceShutdown()
      await ctx.agentWrites.flush()
    },
  }
}
