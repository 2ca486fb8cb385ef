import { access, constants, lstat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { addressesOf, isUnixSocket } from '@nxmesh/model/listen-address'
import { mailListens } from '@nxmesh/nginx/mail-directives'
import { takesAll } from '@nxmesh/nginx/shared-sockets'
import { removeStaleSocket } from './nginx.ts'

type Listening = Pick<AgentConfig, 'virtual_hosts' | 'stream_hosts' | 'settings'>

/** Which addresses of hosts this machine does not have: nginx refuses a whole config for one of them. Addresses come and go, as where two machines share one. */
export interface Addresses extends AsyncDisposable {
  readonly absent: readonly string[]
  /** Looks for those of a config, and forgets those of none. Dead sockets in the place of its own are removed, whoever left them. */
  look(config: Listening): Promise<void>
  /** Goes on looking for those of a config, while one on its way to nginx may have others. `onChange` is called when one came or went. */
  follow(config: Listening | undefined, onChange: () => void): void
}

const usualMs = 5000

export function watchAddresses(everyMs = usualMs): Addresses {
  const absent = new Set<string>()
  const stopping = new AbortController()
  let followed: string[] = []
  let changed = () => {}

  async function ask(addresses: readonly string[]): Promise<boolean> {
    const found = await Promise.all(addresses.map(async (address) => ({ address, isHere: await isHere(address) })))
    const news = found.filter(({ address, isHere }) => absent.has(address) === isHere)
    for (const { address, isHere } of news) {
      if (isHere) absent.delete(address)
      else absent.add(address)
    }
    return news.length > 0
  }

  async function goOn(): Promise<void> {
    while (!stopping.signal.aborted) {
      await delay(everyMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
      if (!stopping.signal.aborted && (await ask(followed))) changed()
    }
  }
  const going = goOn()

  return {
    get absent() {
      return [...absent]
    },
    async look(config) {
      const looked = singleAddresses(config)
      for (const address of absent) if (!looked.includes(address) && !followed.includes(address)) absent.delete(address)
      // Only here, before nginx is told anything: between its bind and its listen a socket seems dead.
      for (const address of looked) if (isUnixSocket(address)) await removeStaleSocket(pathOf(address))
      await ask(looked)
    },
    follow(config, onChange) {
      followed = config ? singleAddresses(config) : []
      changed = onChange
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await going
    },
  }
}

function singleAddresses({ virtual_hosts, stream_hosts = [], settings }: Listening): string[] {
  const ofHosts = [...virtual_hosts, ...stream_hosts].flatMap((host) => (host.listen_addresses ? addressesOf(host) : []))
  const ofMail = mailListens(settings).flatMap((listen) => (takesAll(listen) ? [] : listen.address))
  return [...new Set([...ofHosts, ...ofMail])]
}

// The kernel is asked rather than its list of addresses: it also gives 127.0.0.2, and addresses that it was told to give to whoever asks.
function isHere(address: string): Promise<boolean> {
  if (isUnixSocket(address)) return canBeBound(pathOf(address))
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT'))
    server.listen({ host: address, port: 0, exclusive: true, backlog: 1 }, () => server.close(() => resolve(true)))
  })
}

function pathOf(address: string): string {
  return address.slice('unix:'.length)
}

/** Whether a socket can be made at a path, or is there already. */
async function canBeBound(path: string): Promise<boolean> {
  const isOpen = await access(dirname(path), constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isOpen) return false
  return lstat(path).then(
    (found) => found.isSocket(),
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT',
  )
}
