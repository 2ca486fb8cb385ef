import type { Failure } from './count.ts'
import type { Target } from './targets.ts'

const longestBody = 65_536

/** Tries a server once, over a connection of its own. Resolves with why it failed, if it did. */
export function probe(target: Target, signal: AbortSignal): Promise<Failure> {
  const { host } = target
  return host === undefined ? connectTo(target, signal) : ask({ ...target, host }, signal)
}

/** It passes when the connection is there in time. */
async function connectTo({ to, check }: Target, signal: AbortSignal): Promise<Failure> {
  const { connect } = await import('node:net')
  const { promise, resolve } = Promise.withResolvers<Failure>()
  const socket = connect({ ...('host' in to ? to : { path: to.socketPath }), signal })
  const timer = setTimeout(() => end(`no connection within ${check.timeout} s`), check.timeout * 1000)

  function end(failure: Failure): void {
    clearTimeout(timer)
    resolve(failure)
    socket.destroy()
  }

  socket.on('connect', () => end(undefined))
  socket.on('error', (cause: NodeJS.ErrnoException) => end(cause.message || cause.code || 'no connection'))
  return promise
}

/** It passes when a whole answer of status 2xx or 3xx comes in time (or its first 64 kB do); redirects are not followed. */
async function ask({ to, host, check }: Target & { host: string }, signal: AbortSignal): Promise<Failure> {
  // An import would touch every name that the module exports, and behind one of them is all of fetch: twelve megabytes.
  const { request } = process.getBuiltinModule('node:http')
  const { promise, resolve } = Promise.withResolvers<Failure>()
  const call = request({
    ...to,
    path: check.path,
    agent: false,
    headers: { host, 'user-agent': 'nxmesh-health-check', accept: '*/*', connection: 'close' },
    signal,
    setDefaultHeaders: false,
  })
  const timer = setTimeout(() => end(`no answer within ${check.timeout} s`), check.timeout * 1000)

  function end(failure: Failure): void {
    clearTimeout(timer)
    resolve(failure)
    call.destroy()
  }

  call.on('response', (response) => {
    const { statusCode = 0 } = response
    if (statusCode < 200 || statusCode > 399) return end(`status ${statusCode}`)
    let length = 0
    response.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > longestBody) end(undefined)
    })
    response.on('end', () => end(undefined))
    response.on('error', (cause) => end(cause.message))
  })
  call.on('upgrade', () => end('it switches protocols'))
  call.on('error', (cause: NodeJS.ErrnoException) => end(cause.message || cause.code || 'no connection'))
  call.end()
  return promise
}
