import { socketOptions } from './listen.ts'

/** One `listen` of a stream block, as far as a stream host can have it. */
export interface StreamListen {
  protocol: 'tcp' | 'udp'
  port: number
  ssl: boolean
  proxyProtocol: boolean
  /** Parameters that say how the socket is made: they are left out, and clients are served all the same. */
  dropped: string[]
}

function portOf(address: string): number | undefined {
  const port = Number(/^(?:(?:\*|\[::\]|0\.0\.0\.0):)?(\d{1,5})$/.exec(address)?.[1])
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** Reads `listen` of a stream block, or says why a stream host cannot have it. Source: nginx stream core module, "listen". */
export function readStreamListen([address = '', ...parameters]: readonly string[]): StreamListen | string {
  const port = portOf(address)
  if (port === undefined) return `listens on "${address}": NxMesh serves on all addresses of one port`
  const listen: StreamListen = { protocol: 'tcp', port, ssl: false, proxyProtocol: false, dropped: [] }
  for (const parameter of parameters) {
    if (parameter === 'udp') listen.protocol = 'udp'
    else if (parameter === 'ssl') listen.ssl = true
    else if (parameter === 'proxy_protocol') listen.proxyProtocol = true
    else if (socketOptions.test(parameter)) listen.dropped.push(parameter)
    else return `"${parameter}" cannot be had here`
  }
  return listen
}
