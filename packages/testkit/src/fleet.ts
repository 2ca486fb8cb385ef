import { create, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import { capability } from '@nxmesh/proto/capability'
import {
  AgentMessageSchema,
  ConfigApplyStatus,
  ConfigStatusSchema,
  type ConfigUpdate,
  DeploymentMode,
  HealthReportSchema,
  type MasterMessage,
  MasterMessageSchema,
  RegistrationRequestSchema,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

type AgentMessage = MessageShape<typeof AgentMessageSchema>
type Payload = AgentMessage['payload']

export interface SimulatedAgent {
  id: string
  /** The version of the last config it acknowledged. */
  version: number
  configs: number
  end(): void
}

export interface Fleet extends AsyncDisposable {
  agents: SimulatedAgent[]
}

export interface FleetOptions {
  port: number
  caPem: string
  tokens: { agent_id: string; token: string }[]
  /** Called for each config an agent got, once it has said SUCCESS. */
  onConfig?: (agent: SimulatedAgent, version: number) => void
}

/**
 * Connects one light agent for each token over real gRPC, each on a connection of its own, and keeps them all talking: they
 * register, heartbeat and acknowledge configs without an nginx behind them. Resolves once all are registered.
 */
export async function startFleet({ port, caPem, tokens, onConfig }: FleetOptions): Promise<Fleet> {
  const agents: SimulatedAgent[] = []
  // A few at a time: a thousand TLS handshakes at once say nothing about a fleet.
  const waiting = [...tokens]
  const connect = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) agents.push(await startAgent(port, caPem, next, onConfig))
  }
  await Promise.all(Array.from({ length: 16 }, connect))
  return {
    agents,
    async [Symbol.asyncDispose]() {
      for (const agent of agents) agent.end()
    },
  }
}

function startAgent(
  port: number,
  caPem: string,
  { agent_id, token }: { agent_id: string; token: string },
  onConfig: FleetOptions['onConfig'],
): Promise<SimulatedAgent> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(caPem)), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.ssl_target_name_override': 'localhost',
  })
  const stream: ClientDuplexStream<AgentMessage, MasterMessage> = client.makeBidiStreamRequest(
    '/nxmesh.agent.v1.AgentService/Stream',
    (message: AgentMessage) => Buffer.from(toBinary(AgentMessageSchema, message)),
    (bytes: Buffer) => fromBinary(MasterMessageSchema, bytes),
  )
  let heartbeat: NodeJS.Timeout | undefined
  const agent: SimulatedAgent = {
    id: agent_id,
    version: -1,
    configs: 0,
    end() {
      clearInterval(heartbeat)
      stream.cancel()
      client.close()
    },
  }
  let checksum = ''
  const send = (payload: Payload) => stream.write(create(AgentMessageSchema, { agentId: agent_id, timestamp: BigInt(Date.now()), payload }))

  function take(update: ConfigUpdate) {
    checksum = update.configChecksum
    agent.version = Number(update.version)
    agent.configs++
    const { configId, version, configChecksum } = update
    const status = { configId, version, configChecksum, status: ConfigApplyStatus.SUCCESS, appliedAt: BigInt(Date.now()), durationMs: 1 }
    send({ case: 'configStatus', value: create(ConfigStatusSchema, status) })
    onConfig?.(agent, agent.version)
  }

  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('data', ({ payload }: MasterMessage) => {
      switch (payload.case) {
        case 'registrationResponse': {
          if (!payload.value.success) reject(new Error(payload.value.errorMessage))
          const every = Number(payload.value.heartbeatIntervalSeconds) * 1000
          heartbeat = setInterval(() => send(healthOf(agent, checksum)), every)
          resolve(agent)
          break
        }
        case 'configUpdate':
          take(payload.value)
      }
    })
    send({ case: 'registration', value: create(RegistrationRequestSchema, registration(agent_id, token)) })
  })
}

function registration(id: string, token: string) {
  return {
    token,
    hostname: `sim-${id.slice(-12)}`,
    ipAddress: '127.0.0.1',
    version: '0.1.0',
    capabilities: ['http2', 'websocket'],
    deploymentMode: DeploymentMode.STANDALONE,
    capability,
  }
}

function healthOf(agent: SimulatedAgent, checksum: string): Payload {
  const nginx = { isRunning: true, pid: 1, uptimeSeconds: 60n, activeConnections: 1, totalRequests: 1n, requestsPerSecond: 0, workers: 1 }
  const system = {
    cpuPercent: 1,
    memoryUsedBytes: 1n << 28n,
    memoryTotalBytes: 1n << 30n,
    diskUsedBytes: 1n << 30n,
    diskTotalBytes: 1n << 33n,
  }
  const value = create(HealthReportSchema, {
    nginx,
    system,
    configChecksum: checksum,
    configVersion: BigInt(Math.max(agent.version, 0)),
    servingChecksum: checksum,
  })
  return { case: 'health', value }
}
