// An agent in a process of its own, which takes a config a line and tells each final status: node names-agent.ts ORDER-JSON
import { createInterface } from 'node:readline'
import type { DesiredConfig } from '../src/ledger.ts'
import { type AgentOptions, startAgent } from '../src/start.ts'

export interface NamesOrder {
  options: AgentOptions
  namesEvery: number
}

const { options, namesEvery } = JSON.parse(process.argv[2]!) as NamesOrder
await using agent = await startAgent(options, {
  namesEvery,
  onStatus: (status) => process.stdout.write(`${JSON.stringify(status)}\n`),
  log: (level, message, fields) => process.stderr.write(`${level} ${message} ${JSON.stringify(fields ?? {})}\n`),
})
process.stdout.write('"started"\n')
for await (const line of createInterface({ input: process.stdin })) agent.offer(JSON.parse(line) as DesiredConfig)
