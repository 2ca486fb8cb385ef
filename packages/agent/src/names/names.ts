import { ADDRCONFIG } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ResolvedNames } from '@nxmesh/nginx/resolved-names'
import { type DataPaths, replaceFile } from '../durable.ts'
import { readListsByName } from '../lists-by-name.ts'
import type { Log } from '../scope.ts'
import { type KnownName, settled, unknownName } from './settle.ts'

/** The addresses of the names in a config, asked for again and again: nginx itself would ask once, and not start without an answer. */
export interface Names extends AsyncDisposable {
  readonly current: ResolvedNames
  /** Asks for those that are not known yet, for a few seconds at most. */
  learn(names: readonly string[]): Promise<void>
  /** Goes on asking for these, and forgets others. `onChange` is called when one stands for something else. */
  follow(names: readonly string[], onChange: () => void): void
}

const usualMs = 15_000
const patienceMs = 5000
// A config that is on its way may have learned a name that the one before it does not use.
const keptMs = 600_000
const mostAddresses = 32
// The system's own lookups block threads that the agent's files need too.
const mostAtOnce = 2

export async function openNames({ data }: Pick<DataPaths, 'data'>, log: Log, everyMs = usualMs): Promise<Names> {
  const path = join(data, 'names.json')
  const known = new Map<string, KnownName>()
  for (const [name, addresses] of Object.entries(await readListsByName(path))) known.set(name, { addresses })
  const learned = new Map<string, number>()
  const queue: (() => void)[] = []
  const stopping = new AbortController()
  let free = mostAtOnce
  let followed: readonly string[] = []
  let changed = () => {}
  let saving = Promise.resolve()

  async function ask(name: string): Promise<void> {
    if (free > 0) free--
    else await new Promise<void>((resolve) => queue.push(resolve))
    try {
      if (!stopping.signal.aborted) take(name, await addressesOf(name))
    } finally {
      const next = queue.shift()
      if (next) next()
      else free++
    }
  }

  function take(name: string, answer: string[] | undefined): void {
    const before = known.get(name) ?? unknownName
    // What a name stood for last is better than nothing, as a name server that is away says nothing about servers.
    const next = answer ? settled(before, answer, performance.now()) : before
    known.set(name, next)
    if (next.addresses === before.addresses || next.addresses.join() === before.addresses.join()) return
    log('info', 'a name stands for other addresses', { name, addresses: next.addresses.join(', ') })
    saving = saving.then(() => replaceFile(path, JSON.stringify(current())).catch(() => undefined))
    if (followed.includes(name)) changed()
  }

  const current = () => Object.fromEntries([...known].map(([name, { addresses }]) => [name, addresses]))

  async function goOn(): Promise<void> {
    let turn = performance.now()
    while (!stopping.signal.aborted) {
      await delay(everyMs / 3, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
      // Names that stand for nothing are asked for more often.
      const isTurn = performance.now() - turn >= everyMs
      if (isTurn) turn = performance.now()
      await Promise.all(followed.filter((name) => isTurn || !known.get(name)?.addresses.length).map(ask))
    }
  }
  const going = goOn()

  return {
    get current() {
      return current()
    },
    async learn(names) {
      for (const name of names) learned.set(name, performance.now())
      const asked = names.filter((name) => !known.has(name)).map(ask)
      if (asked.length === 0) return
      await Promise.race([Promise.all(asked), delay(patienceMs, undefined, { ref: false })])
      for (const name of names) if (!known.has(name)) known.set(name, unknownName)
    },
    follow(names, onChange) {
      followed = names
      changed = onChange
      for (const [name, at] of learned) if (performance.now() - at > keptMs) learned.delete(name)
      for (const name of known.keys()) if (!names.includes(name) && !learned.has(name)) known.delete(name)
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      for (const begin of queue.splice(0)) begin()
      await going
      await saving
    },
  }
}

/** What the system says a name stands for, as nginx would be told; undefined where it does not know. */
async function addressesOf(name: string): Promise<string[] | undefined> {
  const found = await lookup(name, { all: true, hints: ADDRCONFIG }).catch(() => [])
  const addresses = [...new Set(found.map(({ address }) => address))].sort().slice(0, mostAddresses)
  return addresses.length > 0 ? addresses : undefined
}
