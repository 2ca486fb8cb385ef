import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DataPaths, replaceFile } from '../durable.ts'
import type { Log } from '../scope.ts'
import { type Answered, answerTo } from './names.ts'

/** Answers nginx which servers take requests. */
export interface Answerer extends AsyncDisposable {
  /** `address:port` of where it answers. */
  readonly address: string
  /** Says where the servers of each name are found from now on. */
  answerFrom(serversOf: ServersOf): void
  /**
   * Says the same of names that are new with a config which nginx is about to load, until `answerFrom` is told again: a worker whose
   * first question stays open asks again only after five seconds.
   */
  expect(serversOf: ServersOf): void
}

type ServersOf = (name: string) => readonly Answered[] | undefined

const loopback = '127.0.0.1'

/**
 * Opens the answerer where it was before, as running workers ask there; elsewhere only where that place is taken. Undefined where
 * there is no place at all: then marks are written into the files.
 */
export async function openAnswerer(paths: DataPaths, log: Log): Promise<Answerer | undefined> {
  const memory = join(paths.data, 'resolver-port')
  const known = Number(await readFile(memory, 'utf8').catch(() => '0'))
  try {
    const socket = (known > 0 ? await bound(known) : undefined) ?? (await boundAnywhere())
    const { port } = socket.address()
    if (port !== known) await replaceFile(memory, `${port}\n`)
    return serve(socket, port, log)
  } catch (cause) {
    log('warn', 'no port for the answers to nginx; servers that fail are marked by reloads', { error: (cause as Error).message })
    return undefined
  }
}

function serve(socket: Socket, port: number, log: Log): Answerer {
  const unknown: ServersOf = () => undefined
  let [present, expected] = [unknown, unknown]

  function serversOf(name: string): readonly Answered[] | undefined {
    const known = present(name)
    return known && known.length > 0 ? known : expected(name)
  }

  socket.on('error', (cause) => log('warn', 'an answer to nginx was not sent', { error: cause.message }))
  socket.on('message', (query, from) => {
    const answer = from.address === loopback ? answerTo(query, serversOf) : undefined
    if (answer) socket.send(answer, from.port, from.address)
  })
  return {
    address: `${loopback}:${port}`,
    answerFrom(source) {
      present = source
      expected = unknown
    },
    expect(source) {
      expected = source
    },
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

/** A port that no other user of this machine can take while the agent is away, where that can be had: one below 1024. */
async function boundAnywhere(): Promise<Socket> {
  const privileged = process.getuid?.() === 0 ? Array.from({ length: 8 }, () => 600 + Math.floor(Math.random() * 400)) : []
  for (const port of privileged) {
    const socket = await bound(port)
    if (socket) return socket
  }
  const socket = await bound(0)
  if (!socket) throw new Error(`no port of ${loopback} is free`)
  return socket
}

async function bound(port: number): Promise<Socket | undefined> {
  // Only hosts whose nginx asks need it in memory.
  const { createSocket } = await import('node:dgram')
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(port, loopback, resolve)
    })
    socket.removeAllListeners('error')
    return socket
  } catch {
    socket.close()
    return undefined
  }
}
