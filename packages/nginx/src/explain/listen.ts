import type { Node } from './read-config.ts'

/** One address of a `listen` directive. `address` is `*`, `[::]` or one of a host; `port` undefined for a unix socket. */
export interface Listen {
  address: string
  family: 4 | 6 | 'unix' | 'unknown'
  port: number | undefined
  isDefault: boolean
  ssl: boolean
  proxyProtocol: boolean
  takesV4: boolean
  node: Node
}

/** Reads a `listen` directive; a range of ports gives one for each. Source: nginx core module, "listen". */
export function listensOf(node: Node): Listen[] {
  const [where = '', ...options] = node.args
  if (options.includes('quic')) return []
  const has = (option: string) => options.includes(option)
  const common = { isDefault: has('default_server') || has('default'), ssl: has('ssl'), proxyProtocol: has('proxy_protocol'), node }
  if (where.startsWith('unix:')) return [{ ...common, address: where, family: 'unix', port: undefined, takesV4: false }]
  const parts = /^(?:(\[[^\]]*\]|[^:[\]]*?):)?(\d+)(?:-(\d+))?$/.exec(where)
  const host = parts ? (parts[1] ?? '*') : where
  const [first, last] = parts ? [Number(parts[2]), Number(parts[3] ?? parts[2])] : [80, 80]
  const family = host.startsWith('[') ? 6 : host === '*' || /^\d+(\.\d+){3}$/.test(host) ? 4 : 'unknown'
  const address = host === '0.0.0.0' || host === '' ? '*' : host === '[::0]' ? '[::]' : host
  const takesV4 = family === 4 || (address === '[::]' && has('ipv6only=off'))
  const ports = Array.from({ length: Math.max(1, last - first + 1) }, (_, at) => first + at)
  return ports.map((port) => ({ ...common, address, family, port, takesV4 }))
}

/** What a server listens on that says nothing of it: nginx takes 8000 where it does not run as root. */
export function defaultListen(server: Node): Listen {
  return { address: '*', family: 4, port: 80, isDefault: false, ssl: false, proxyProtocol: false, takesV4: true, node: server }
}
