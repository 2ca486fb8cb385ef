import { type UpstreamInput, upstreamInput } from '@nxmesh/model/upstream'
import { checkUpstream } from '../check.ts'
import type { SourceDirective } from './source.ts'

export type ReadUpstream = { ok: true; upstream: UpstreamInput } | { ok: false; message: string }

const seconds: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Reads an upstream block into the fields of an upstream; one that says more than they hold gives a sentence on what. Source: nginx upstream module. */
export function readUpstream({ args, block = [] }: SourceDirective): ReadUpstream {
  const draft: { [field: string]: unknown; servers: Record<string, unknown>[] } = { name: args[0] ?? '', servers: [] }
  for (const directive of block) {
    const problem = readInto(draft, directive)
    if (problem !== undefined) return { ok: false, message: problem }
  }
  const read = upstreamInput.safeParse(draft)
  if (!read.success) return { ok: false, message: read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join(', ') }
  const [problem] = checkUpstream(read.data)
  return problem ? { ok: false, message: `${problem.field} ${problem.message}` } : { ok: true, upstream: read.data }
}

function readInto(draft: { [field: string]: unknown; servers: Record<string, unknown>[] }, directive: SourceDirective): string | undefined {
  const { name, args, head } = directive
  switch (name) {
    case 'server': {
      const server = readServer(args)
      if (typeof server === 'string') return server
      draft.servers.push(server)
      return undefined
    }
    case 'least_conn':
      draft.algorithm = 'least_connections'
      return undefined
    case 'ip_hash':
      draft.algorithm = 'ip_hash'
      return undefined
    case 'keepalive':
      if (args.length !== 1 || !/^\d+$/.test(args[0]!)) return `"${head}" cannot be had here`
      draft.keepalive_connections = Number(args[0])
      return undefined
    case 'zone':
      // Every upstream has one here.
      return undefined
    default:
      return `"${name}" is no field of an upstream`
  }
}

function readServer([address = '', ...parameters]: readonly string[]): Record<string, unknown> | string {
  const server: Record<string, unknown> = { address }
  for (const parameter of parameters) {
    const [, key = parameter, value = ''] = /^([a-z_]+)=(.*)$/.exec(parameter) ?? []
    if (parameter === 'backup' || parameter === 'down') server[parameter] = true
    else if ((key === 'weight' || key === 'max_fails') && /^\d+$/.test(value)) server[key] = Number(value)
    else if (key === 'fail_timeout') {
      const [, count, unit] = /^(\d+)([smhd]?)$/.exec(value) ?? []
      if (count === undefined) return `"${parameter}" is no field of a server`
      server.fail_timeout = Number(count) * seconds[unit!]!
    } else return `"${parameter}" is no field of a server`
  }
  return server
}

/** The name of the upstream, or the host, that a directive passes requests to, as in `http://NAME/path`; nginx takes them in any case. */
export function passedTo({ name, args }: SourceDirective): string | undefined {
  if (!/^(proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass$/.test(name)) return undefined
  return serverIn(args[0] ?? '')
}

/** The server that an address names, in lower case, without the scheme before it and the URI behind it. */
export function serverIn(address: string): string {
  return address
    .replace(/^(?:[a-z]+|\$\{?\w+\}?):\/\//i, '')
    .split(/[/?]/)[0]!
    .toLowerCase()
}
