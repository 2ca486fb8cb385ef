import type { CaaRecord as NodeCaa } from 'node:dns'
import { Resolver as Stub } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { CaaRecord } from './caa.ts'
import type { TxtRecord } from './provider.ts'

type Failure = { ok: false; message: string }

/** What the master looks up in the DNS before it asks a CA. */
export interface Resolver {
  /** Where the TXT record of a name's challenge goes: `_acme-challenge.NAME` with CNAMEs followed. A wildcard's name comes without its `*.`. */
  challengeName(name: string): Promise<{ ok: true; name: string } | Failure>
  /** Whether every server of the zone that answers has a record. */
  sees(record: TxtRecord): Promise<{ ok: true; seen: boolean; detail: string } | Failure>
  /** The zone that a name is in: the nearest name above it with a SOA record. */
  zoneOf(name: string): Promise<{ ok: true; zone: string } | Failure>
  /** `missing`: the DNS says that there are none. */
  addresses(name: string): Promise<{ ok: true; addresses: string[] } | (Failure & { missing: boolean })>
  /** The CAA records that rule a name and the name that has them; null where none do. Source: RFC 8659 section 3. */
  caa(name: string): Promise<{ ok: true; found: { name: string; records: CaaRecord[] } | null } | Failure>
}

const longestChain = 8
const absent = new Set(['ENODATA', 'ENOTFOUND'])

/**
 * @param servers `address` or `address:port`; the system's where there are none. Named ones are also those that are asked whether a
 * record is there; otherwise the servers of its zone are.
 */
export function openResolver(servers: readonly string[]): Resolver {
  const stub = open(servers)

  async function zoneOf(name: string): Promise<{ ok: true; zone: string } | Failure> {
    for (let zone = name; zone.includes('.') || zone !== ''; zone = parentOf(zone)) {
      const found = await attempt(() => stub.resolveSoa(zone))
      if (found.ok) return { ok: true, zone }
      if (!found.missing) return found
      if (!zone.includes('.')) break
    }
    return { ok: false, message: `no zone is known that ${name} is in` }
  }

  async function authoritative(name: string): Promise<{ ok: true; servers: string[] } | Failure> {
    if (servers.length > 0) return { ok: true, servers: [...servers] }
    const found = await zoneOf(name)
    if (!found.ok) return found
    const names = await attempt(() => stub.resolveNs(found.zone))
    if (!names.ok) return names
    const addresses = await Promise.all(names.value.map((server) => attempt(() => stub.resolve4(server))))
    const all = addresses.flatMap((one) => (one.ok ? one.value : []))
    return all.length === 0 ? { ok: false, message: `the servers of ${found.zone} have no address` } : { ok: true, servers: all }
  }

  return {
    zoneOf,
    async challengeName(name) {
      let at = `_acme-challenge.${name}`
      for (let followed = 0; followed <= longestChain; followed++) {
        const next = await attempt(() => stub.resolveCname(at))
        if (!next.ok) return next.missing ? { ok: true, name: at } : next
        at = next.value[0]!.replace(/\.$/, '').toLowerCase()
      }
      return { ok: false, message: `the CNAME records of _acme-challenge.${name} lead in a circle, or too far` }
    },
    async sees({ name, value }) {
      const asked = await authoritative(name)
      if (!asked.ok) return asked
      const answers = await Promise.all(
        asked.servers.map(async (server) => ({ server, found: await attempt(() => open([server]).resolveTxt(name)) })),
      )
      const heard = answers.filter(({ found }) => found.ok || found.missing)
      if (heard.length * 2 <= answers.length) return { ok: false, message: `most servers of ${name} do not answer` }
      const without = heard.filter(({ found }) => !found.ok || !found.value.some((parts) => parts.join('') === value))
      const detail = without.length === 0 ? 'every server has it' : `${without.map(({ server }) => server).join(', ')} without it`
      return { ok: true, seen: without.length === 0, detail }
    },
    async addresses(name) {
      const [four, six] = await Promise.all([attempt(() => stub.resolve4(name)), attempt(() => stub.resolve6(name))])
      const addresses = [four, six].flatMap((found) => (found.ok ? found.value : []))
      if (addresses.length > 0) return { ok: true, addresses }
      const trouble = [four, six].find((found) => !found.ok && !found.missing)
      if (trouble && !trouble.ok) return { ok: false, message: trouble.message, missing: false }
      return { ok: false, message: `${name} has no address`, missing: true }
    },
    async caa(name) {
      for (let at = name; at !== ''; at = parentOf(at)) {
        const found = await attempt(() => stub.resolveCaa(at))
        if (found.ok && found.value.length > 0) return { ok: true, found: { name: at, records: found.value.map(readCaa) } }
        if (!found.ok && !found.missing) return found
      }
      return { ok: true, found: null }
    },
  }
}

function open(servers: readonly string[]): Stub {
  const stub = new Stub({ timeout: 3000, tries: 2 })
  if (servers.length > 0) stub.setServers(servers.map((server) => (isIP(server) === 6 ? `[${server}]` : server)))
  return stub
}

async function attempt<T>(look: () => Promise<T>): Promise<{ ok: true; value: T } | (Failure & { missing: boolean })> {
  try {
    return { ok: true, value: await look() }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { ok: false, message, missing: absent.has(code ?? '') }
  }
}

function parentOf(name: string): string {
  const dot = name.indexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1)
}

// Node names the record's value after its tag.
function readCaa({ critical, ...rest }: NodeCaa): CaaRecord {
  const [tag, value] = Object.entries(rest).find(([key, text]) => key !== 'type' && typeof text === 'string') ?? ['', '']
  return { critical: critical !== 0, tag, value: String(value) }
}
