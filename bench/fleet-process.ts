import { startFleet } from '@nxmesh/testkit/fleet'

// The simulated agents live in a process of their own, so that what the master costs is the master's alone.
let at: number[] = []
let waiting = false
let expected = 0

process.on('message', async (message: { wait: true } | { port: number; caPem: string; tokens: { agent_id: string; token: string }[] }) => {
  if ('wait' in message) {
    at = []
    waiting = true
    return
  }
  expected = message.tokens.length
  const first = new Set<string>()
  const allHaveOne = Promise.withResolvers<void>()
  await startFleet({
    ...message,
    onConfig(agent) {
      if (first.size < expected && first.add(agent.id).size === expected) allHaveOne.resolve()
      if (!waiting) return
      at.push(Date.now())
      if (at.length < expected) return
      waiting = false
      process.send?.({ at })
    },
  })
  await allHaveOne.promise
  process.send?.({ ready: true })
})
