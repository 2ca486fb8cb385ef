import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ApiError } from '@nxmesh/api/errors'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { ExplainInput, Explanation } from '@nxmesh/model/explanation'
import type { RenderTarget } from '@nxmesh/nginx/render/target'
import type { Logger } from 'pino'
import type { ConfigPart, FromThread, ToThread } from './messages.ts'

/** Explains requests in a thread of its own, which remembers the configurations that it read last. */
export interface Explainer extends AsyncDisposable {
  /** `config` is asked for where the thread does not have it. Rejects with SERVICE_UNAVAILABLE where the thread is behind or falls. */
  explain(target: RenderTarget, input: ExplainInput, config: () => Promise<AgentConfig>): Promise<Explanation>
}

const entry = new URL('./thread.ts', import.meta.url)
const mostWaiting = 50
const mostHeapMb = 1024
const restMs = 10 * 60_000
const entriesAtOnce = 250

/** Makes the thread ready to be used. It starts when it is first needed, and ends when nobody has asked for a while. */
export function openExplainer(log: Logger): Explainer {
  const waiting = new Map<number, PromiseWithResolvers<FromThread>>()
  let thread: Worker | undefined
  let rest: NodeJS.Timeout | undefined
  let lastId = 0

  function start(): Worker {
    const started = new Worker(entry, { env: {}, resourceLimits: { maxOldGenerationSizeMb: mostHeapMb } })
    started.on('message', (message: FromThread) => waiting.get(message.id)?.resolve(message))
    started.on('error', (cause) => log.error({ err: cause }, 'the thread that explains requests fell'))
    started.on('exit', () => {
      if (thread !== started) return
      thread = undefined
      for (const { reject } of waiting.values()) reject(unavailable('the explanation could not be made; try again later'))
    })
    started.unref()
    return started
  }

  async function reply(message: Extract<ToThread, { target: RenderTarget }>): Promise<FromThread> {
    const answered = Promise.withResolvers<FromThread>()
    waiting.set(message.id, answered)
    const asked = thread!
    // It keeps the process alive only while somebody waits.
    asked.ref()
    try {
      asked.postMessage(message)
      return await answered.promise
    } finally {
      waiting.delete(message.id)
      if (waiting.size === 0) asked.unref()
    }
  }

  async function ask(target: RenderTarget, input: ExplainInput, config: () => Promise<AgentConfig>): Promise<FromThread> {
    const id = ++lastId
    const asked = (thread ??= start())
    const first = await reply({ kind: 'ask', id, target, input })
    if (first.kind !== 'missing') return first
    for (const part of partsOf(await config())) {
      asked.postMessage({ kind: 'part', id, part } satisfies ToThread)
      await setImmediate()
    }
    if (asked !== thread) throw unavailable('the explanation could not be made; try again later')
    return reply({ kind: 'whole', id, target, input })
  }

  return {
    async explain(target, input, config) {
      if (waiting.size >= mostWaiting) throw unavailable('too many explanations are being made; try again later')
      clearTimeout(rest)
      try {
        const said = await ask(target, input, config)
        if (said.kind === 'answer') return said.explanation
        if (said.kind === 'unreadable') throw new ApiError('CONFLICT', `the files of this agent cannot be read: ${said.message}`)
        throw new Error(said.kind === 'failed' ? said.message : 'the thread forgot a config that it was just given')
      } finally {
        rest = setTimeout(() => {
          if (waiting.size === 0) void thread?.terminate()
        }, restMs)
        rest.unref()
      }
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(rest)
      await thread?.terminate()
    },
  }
}

function* partsOf({ virtual_hosts, upstreams, ...rest }: AgentConfig): Generator<ConfigPart> {
  // Only whether there is a key matters there.
  const certificates = Object.entries(rest.certificates).map(([id, certificate]) => {
    const key = certificate.private_key_pem === '' ? '' : 'a key'
    return [id, { ...certificate, private_key_pem: key }] as const
  })
  yield { list: 'none', rest: { ...rest, certificates: Object.fromEntries(certificates) } }
  for (let at = 0; at < virtual_hosts.length; at += entriesAtOnce)
    yield { list: 'virtual_hosts', entries: virtual_hosts.slice(at, at + entriesAtOnce) }
  for (let at = 0; at < upstreams.length; at += entriesAtOnce) yield { list: 'upstreams', entries: upstreams.slice(at, at + entriesAtOnce) }
}

function unavailable(message: string): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', message)
}
