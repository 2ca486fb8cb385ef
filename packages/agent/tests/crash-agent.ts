// An agent that ends itself with SIGKILL at a named step, for tests: node crash-agent.ts OPTIONS-JSON
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DesiredConfig } from '../src/ledger.ts'
import type { FaultPoint } from '../src/scope.ts'
import { type AgentOptions, startAgent } from '../src/start.ts'

export interface CrashOrder {
  options: AgentOptions
  update: DesiredConfig
  point: FaultPoint | undefined
  /** At which of its passages there; the first where it is not said. */
  passage?: number
  /** Spoils the tested config before nginx reads it, so that the agent has to go back. */
  spoil: boolean
}

const order = JSON.parse(process.argv[2]!) as CrashOrder
const done = Promise.withResolvers<void>()
let current = ''
let passages = 0

await using agent = await startAgent(order.options, {
  at(point) {
    current = point
    if (order.spoil && point === 'tested') {
      const name = `${order.update.version}-${order.update.digest.slice(0, 12)}`
      appendFileSync(join(order.options.dataDir, 'generations', name, 'http.conf'), '\nspoiled_directive;\n')
    }
    if (point === order.point && ++passages === (order.passage ?? 1)) process.kill(process.pid, 'SIGKILL')
  },
  onStatus(status) {
    process.stdout.write(`${JSON.stringify(status)}\n`)
    if (status.applied_at > 0 || status.status === 'failed') done.resolve()
  },
})

agent.offer(order.update)
await done.promise
process.stdout.write(`ended after ${current}\n`)
