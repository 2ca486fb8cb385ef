import { parentPort } from 'node:worker_threads'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { ExplainInput, Explanation } from '@nxmesh/model/explanation'
import { explain } from '@nxmesh/nginx/explain/explain'
import { incomingOf } from '@nxmesh/nginx/explain/incoming'
import { placesIn } from '@nxmesh/nginx/explain/places'
import { readConfig } from '@nxmesh/nginx/explain/read-config'
import { compileConfig } from '@nxmesh/nginx/explain/servers'
import { render } from '@nxmesh/nginx/render'
import type { RenderTarget } from '@nxmesh/nginx/render/target'
import type { ConfigPart, FromThread, ToThread } from './messages.ts'
import { openReadMemory, type Readable } from './read-memory.ts'

// The thread that renders, reads and explains: with thousands of hosts that takes longer than anything of the master may wait.
const memory = openReadMemory({ most: 8, mostBytes: 32_000_000 })
const parts = new Map<number, ConfigPart[]>()

parentPort!.on('message', (message: ToThread) => {
  if (message.kind === 'part') {
    const soFar = parts.get(message.id)
    if (soFar) soFar.push(message.part)
    else parts.set(message.id, [message.part])
    return
  }
  try {
    say(answer(message))
  } catch (cause) {
    say({ kind: 'failed', id: message.id, message: (cause as Error).message })
  }
})

function answer({ id, target, input }: Exclude<ToThread, { kind: 'part' }>): FromThread {
  const key = JSON.stringify(target)
  const whole = parts.get(id)
  parts.delete(id)
  const known = memory.get(key)
  if (known) return { kind: 'answer', id, explanation: explainIn(known, target, input) }
  if (!whole) return { kind: 'missing', id }
  const read = readOn(joined(whole), target)
  if (typeof read === 'string') return { kind: 'unreadable', id, message: read }
  memory.set(key, read)
  return { kind: 'answer', id, explanation: explainIn(read, target, input) }
}

function joined(all: readonly ConfigPart[]): AgentConfig {
  const rest = all.find((part) => part.list === 'none')!.rest
  return {
    ...rest,
    virtual_hosts: all.flatMap((part) => (part.list === 'virtual_hosts' ? part.entries : [])),
    upstreams: all.flatMap((part) => (part.list === 'upstreams' ? part.entries : [])),
  }
}

function readOn(config: AgentConfig, target: RenderTarget): Readable | string {
  const included = target.mode === 'include'
  const rendered = render(config, target)
  const files = new Map(rendered.files.map(({ path, text }) => [path, text]))
  const read = readConfig(files, included ? 'http.conf' : 'nginx.conf', included)
  if (!read.ok) return read.message
  const size = rendered.files.reduce((sum, { text }) => sum + text.length, 0)
  return { config: compileConfig(read.http), placeOf: placesIn(rendered.sources), size }
}

function explainIn({ config, placeOf }: Readable, { mode }: RenderTarget, input: ExplainInput): Explanation {
  const told = explain(config, incomingOf(input), placeOf)
  const around = "nothing in the host's own nginx.conf listens on this port or sets what holds here"
  return mode === 'include' ? { ...told, assumptions: [around, ...told.assumptions] } : told
}

function say(message: FromThread): void {
  parentPort!.postMessage(message)
}
