import { once } from 'node:events'
import { createServer } from 'node:net'
import type { FaultPoint } from '@nxmesh/agent/scope'
import { type AgentOptions, startAgent } from '@nxmesh/agent/start'
import type { TelemetryLimits } from '@nxmesh/agent/telemetry/messages'

/** What a test may tell the program: where to end itself, and which port to take between the test of a config and its reload. */
export interface Orders {
  killAt?: FaultPoint
  takePort?: number
}

let orders: Orders = {}
process.on('message', (message: Orders) => {
  orders = message
  process.send!('taken')
})

async function at(point: FaultPoint): Promise<void> {
  if (point === 'tested' && orders.takePort !== undefined) {
    const { takePort } = orders
    await new Promise<void>((resolve, reject) => createServer().once('error', reject).listen(takePort, resolve))
  }
  if (point === orders.killAt) {
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  }
}

const options = JSON.parse(process.env['NXMESH_TEST_AGENT']!) as AgentOptions
const log = (level: string, message: string, fields = {}) => process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`)
const telemetry = JSON.parse(process.env['NXMESH_TEST_TELEMETRY'] ?? '{}') as Partial<TelemetryLimits>
const agent = await startAgent(options, { at, log, telemetry })
process.stdout.write('ready\n')
await once(process, 'SIGTERM')
await agent[Symbol.asyncDispose]()
process.disconnect?.()
