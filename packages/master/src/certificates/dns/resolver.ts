import { type CaaRecord as FoundCaa, promises } from 'node:dns'
import type { CaaRecord } from './caa.ts'
import type { TxtRecord } from './provider.ts'
import { type Answering, judgedServers } from './seen.ts'

type Failure = { ok: false; message: string }

/** Looks things up in DNS. */
export interface Resolver {
  /**
   * Where the TXT record of a name's challenge goes: `_acme-challenge.NAME` with CNAMEs followed, which is how challenges are
   * delegated. A wildcard's name comes without its `*.`.
   */
  challengeName(name: string): Promise<{ ok: true; name: string } | Failure>
  /** Whether every authoritative server of the zone answers with the value. A minority that does not answer is told and let be. */
  sees(record: TxtRecord): Promise<{ ok: true; seen: boolean; detail: string } | Failure>
  /** The zone that a name is in. */
  zoneOf(name: string): Promise<{ ok: true; zone: string } | Failure>
  addresses(name: string): Promise<{ ok: true; addresses: string[] } | (Failure & { missing: boolean })>
  /** The CAA records that rule a name, and where they stand; null where none do. */
  caa(name: string): Promise<{ ok: true; found: { name: string; records: CaaRecord[] } | null } | Failure>
}

export interface ResolverOptions {
  /** Milliseconds for one try, of two. */
  timeout?: number
  /** Which addresses of authoritative servers may be asked: whoever has a zone says where its servers are. */
  mayReach?: (address: string) => boolean
}

const longestChain = 10
const mostServers = 20

/** @param servers Those that are asked about everything, as `address` or `address:port`; the system's where there are none. */
export function openResolver(servers: readonly string[], { timeout = 3000, mayReach = () => true }: ResolverOptions = {}): Resolver {
  const opened = (asked: readonly string[]) => {
    const resolver = new promises.Resolver({ timeout, tries: 2 })
    if (asked.length > 0) resolver.setServers(asked)
    return resolver
  }
  const recursive = opened(servers)

  async function zoneOf(name: string): Promise<{ ok: true; zone: string } | Failure> {
    for (const candidate of climbing(name)) {
      const soa = await asked(recursive.resolveSoa(candidate))
      if (soa.kind === 'failed') return failed(candidate, soa.code)
      // An alias answers with the SOA of what it leads to.
      if (soa.kind === 'found' && (await asked(recursive.resolveCname(candidate))).kind !== 'found') return { ok: true, zone: candidate }
    }
    return { ok: false, message: `${name} is in no zone` }
  }

  async function addresses(name: string): ReturnType<Resolver['addresses']> {
    const answers = await Promise.all([asked(recursive.resolve4(name)), asked(recursive.resolve6(name))])
    const found = answers.flatMap((answer) => (answer.kind === 'found' ? answer.value : []))
    if (found.length > 0) return { ok: true, addresses: found }
    const trouble = answers.find((answer) => answer.kind === 'failed')
    if (trouble) return { ...failed(name, trouble.code), missing: false }
    return { ok: false, message: `${name} has no address`, missing: true }
  }

  /** The authoritative servers of a zone and their addresses; the servers that were set, where some were. */
  async function serversOf(zone: string): Promise<{ ok: true; servers: { name: string; addresses: string[] }[] } | Failure> {
    if (servers.length > 0) return { ok: true, servers: servers.map((server) => ({ name: server, addresses: [server] })) }
    const names = await asked(recursive.resolveNs(zone))
    if (names.kind !== 'found') return { ok: false, message: `${zone} tells no name servers` }
    const found = names.value.slice(0, mostServers).map(async (name) => {
      const answer = await addresses(name)
      return { name, addresses: answer.ok ? answer.addresses.filter(mayReach) : [] }
    })
    return { ok: true, servers: await Promise.all(found) }
  }

  async function answerOf(address: string, { name, value }: TxtRecord): Promise<Answering> {
    const texts = await asked(opened([address]).resolveTxt(name))
    if (texts.kind === 'failed') return 'silent'
    return texts.kind === 'found' && texts.value.some((strings) => strings.join('') === value) ? 'there' : 'missing'
  }

  return {
    zoneOf,
    addresses,
    async challengeName(name) {
      let at = `_acme-challenge.${name}`
      const passed = new Set<string>()
      while (passed.size < longestChain) {
        passed.add(at.toLowerCase())
        const alias = await asked(recursive.resolveCname(at))
        if (alias.kind === 'failed') return failed(at, alias.code)
        const next = alias.kind === 'found' ? alias.value[0] : undefined
        if (next === undefined) return { ok: true, name: at }
        if (passed.has(next.toLowerCase())) return { ok: false, message: `the CNAME records of _acme-challenge.${name} lead in a circle` }
        at = next
      }
      return { ok: false, message: `the CNAME records of _acme-challenge.${name} lead on more than ${longestChain} times` }
    },
    async sees(record) {
      const zone = await zoneOf(record.name)
      if (!zone.ok) return zone
      const found = await serversOf(zone.zone)
      if (!found.ok) return found
      const answers = found.servers.map(async (server) => ({
        name: server.name,
        answers: await Promise.all(server.addresses.map((address) => answerOf(address, record))),
      }))
      return { ok: true, ...judgedServers(zone.zone, await Promise.all(answers)) }
    },
    async caa(name) {
      for (const at of climbing(name.replace(/^\*\./, ''))) {
        const answer = await asked(recursive.resolveCaa(at))
        if (answer.kind === 'failed') return failed(at, answer.code)
        if (answer.kind === 'found' && answer.value.length > 0) return { ok: true, found: { name: at, records: answer.value.map(caaOf) } }
      }
      return { ok: true, found: null }
    },
  }
}

type Asked<T> = { kind: 'found'; value: T } | { kind: 'absent' } | { kind: 'failed'; code: string }

async function asked<T>(question: Promise<T>): Promise<Asked<T>> {
  try {
    return { kind: 'found', value: await question }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return code === 'ENODATA' || code === 'ENOTFOUND' ? { kind: 'absent' } : { kind: 'failed', code }
  }
}

function failed(name: string, code: string): Failure {
  return { ok: false, message: `${name} could not be looked up: ${code}` }
}

/** A name and those above it, the root left out. */
function climbing(name: string): string[] {
  const labels = name.replace(/\.$/, '').split('.')
  return labels.map((_, index) => labels.slice(index).join('.'))
}

// Node names a property after the tag, beside its own.
function caaOf({ critical, ...rest }: FoundCaa): CaaRecord {
  const [tag = '', value = ''] = Object.entries(rest).find(([property]) => property !== 'type') ?? []
  return { critical: (critical & 128) !== 0, tag, value: String(value) }
}
