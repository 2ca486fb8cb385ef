import { isIPv6 } from 'node:net'
import type { AgentConfig, ConfigUpstream } from '@nxmesh/model/agent-config'
import { isChecked, type Marks, usableServers } from '@nxmesh/nginx/health-marks'
import { serviceName } from '@nxmesh/nginx/service-name'
import type { Answered } from './names.ts'
import { destinationOf } from './targets.ts'

/** By the name that nginx asks for: the servers of an upstream without those that are marked. */
export function answeredServers(config: AgentConfig | undefined, marks: () => Marks): (name: string) => readonly Answered[] | undefined {
  const byName = new Map<string, ConfigUpstream>(
    config?.upstreams.filter(isChecked).map((upstream) => {
      const { service, host } = serviceName(upstream.id)
      return [`${service}.${host}`, upstream] as const
    }),
  )
  return (name) => {
    const upstream = byName.get(name)
    if (!upstream) return undefined
    const marked = new Set(marks()[upstream.id])
    return usableServers(upstream)
      .filter((server) => !marked.has(server.address))
      .flatMap(({ address, weight }) => {
        const to = destinationOf(address)
        const ip = 'host' in to ? addressBytes(to.host) : undefined
        return ip && 'port' in to ? [{ ip, port: to.port, weight }] : []
      })
  }
}

function addressBytes(address: string): Buffer | undefined {
  if (/^\d+(\.\d+){3}$/.test(address)) return Buffer.from(address.split('.').map(Number))
  return isIPv6(address) ? ipv6Bytes(address) : undefined
}

function ipv6Bytes(address: string): Buffer {
  // A dotted end stands for the last two groups.
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a, b, c, d] = parts.slice(0, 4).map(Number) as [number, number, number, number]
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [first, last] = [groups(head), tail === undefined ? [] : groups(tail)]
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
  const bytes = Buffer.alloc(16)
  for (const [at, group] of all.entries()) bytes.writeUInt16BE(group, at * 2)
  return bytes
}
