import { startFleet } from '@nxmesh/testkit/fleet'

// The simulated agents live in a process of their own, so that what the master costs is the master's alone.
interface Orders {
  port: number
  caPem: string
  tokens: { agent_id: string; token: string }[]
}

let at: number[] = []
let waiting = false

process.on('message', (message: Orders | { wait: true }) => {
  if (!('wait' in message)) return void connect(message)
  at = []
  waiting = true
})

async function connect(orders: Orders): Promise<void> {
  const expected = orders.tokens.length
  const served = new Set<string>()
  const allServed = Promise.withResolvers<void>()
  await startFleet({
    ...orders,
    onConfig(agent) {
      if (served.size < expected && served.add(agent.id).size === expected) allServed.resolve()
      if (!waiting || at.push(Date.now()) < expected) return
      waiting = false
      process.send?.({ at })
    },
  })
  await allServed.promise
  process.send?.({ ready: true })
}
