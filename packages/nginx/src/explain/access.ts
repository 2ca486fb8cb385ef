import { prefixHolding } from './addresses.ts'
import { inherited, setting } from './level.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { headerOf, note, type Visit } from './visit.ts'

/** What one check says of a request. */
type Verdict = { kind: 'none' | 'allowed' } | { kind: 'denied'; status: number; node: Node }

/** The status that stops a request at the access phase, or undefined where it goes on. Source: nginx, ngx_http_core_access_phase. */
export function checkAccess(visit: Visit): { status: number; node: Node } | undefined {
  const any = setting(visit.level, 'satisfy')?.args[0]?.toLowerCase() === 'any'
  let first: { status: number; node: Node } | undefined
  for (const check of [byAddress, byPassword, bySubrequest]) {
    const verdict = check(visit)
    if (verdict.kind === 'allowed' && any) {
      note(visit, 'access', '"satisfy any" lets the request through', setting(visit.level, 'satisfy'))
      return undefined
    }
    if (verdict.kind !== 'denied') continue
    if (!any) return verdict
    // A password that is asked for goes before a plain refusal.
    if (first?.status !== 401) first = verdict
  }
  return first
}

function byAddress(visit: Visit): Verdict {
  const rules = inherited(visit.level, 'allow', 'deny')
  // nginx looks at a mapped address as IPv4 only where a rule could be of IPv4.
  const asIs = rules.every(({ args }) => args[0]!.includes(':'))
  for (const node of rules) {
    const network = node.args[0]!
    if (network !== 'all' && (network === 'unix:' || prefixHolding(network, visit.source, asIs) === undefined)) continue
    const words = `${visit.source} is ${network === 'all' ? 'one of all' : `in ${network}`}`
    if (node.name === 'allow') {
      note(visit, 'access', `${words}: allowed`, node)
      return { kind: 'allowed' }
    }
    note(visit, 'access', `${words}: denied with 403`, node)
    return { kind: 'denied', status: 403, node }
  }
  return { kind: 'none' }
}

function byPassword(visit: Visit): Verdict {
  const node = setting(visit.level, 'auth_basic')
  const file = setting(visit.level, 'auth_basic_user_file')
  if (!node || !file) return { kind: 'none' }
  const realm = expand(visit, node.args[0]!, node)
  if (realm === 'off') return { kind: 'none' }
  if (!/^basic ./i.test(headerOf(visit, 'authorization'))) {
    note(visit, 'auth', `no user and password are sent for "${realm}": 401`, node)
    return { kind: 'denied', status: 401, node }
  }
  throw new Unsure(`whether ${file.args[0]} has this user and password`, file)
}

function bySubrequest(visit: Visit): Verdict {
  const node = setting(visit.level, 'auth_request')
  if (!node || node.args[0] === 'off') return { kind: 'none' }
  throw new Unsure(`what the request to ${node.args[0]} answers`, node)
}

/** Takes the address that a trusted proxy names for that of the client. Source: nginx realip module. */
export function applyRealIp(visit: Visit): void {
  const trusted = inherited(visit.level, 'set_real_ip_from')
  if (trusted.length === 0) return
  const isTrusted = (address: string) => trusted.some(({ args }) => args[0] === 'all' || prefixHolding(args[0]!, address) !== undefined)
  const named = trusted.find(({ args }) => /^[a-z][a-z0-9.-]*[a-z]$/i.test(args[0]!) && !['all', 'unix:'].includes(args[0]!))
  if (named && !/^[0-9a-f:.]+$/i.test(named.args[0]!)) throw new Unsure(`which addresses "${named.args[0]}" has`, named)
  if (!isTrusted(visit.source)) return
  const node = setting(visit.level, 'real_ip_header')
  const header = node?.args[0]?.toLowerCase() ?? 'x-real-ip'
  const proxied = header === 'proxy_protocol'
  const value = proxied ? (visit.incoming.proxied ?? '') : headerOf(visit, header)
  if (value === '') return
  const many = header === 'x-forwarded-for'
  const addresses = value.split(/[\s,]+/).filter((address) => address !== '')
  if (!many && addresses.length > 1) throw new Unsure(`what nginx takes of "${value}"`, node)
  const recursive = setting(visit.level, 'real_ip_recursive')?.args[0] === 'on'
  let source = visit.source
  for (const address of addresses.toReversed()) {
    if (prefixHolding('0.0.0.0/0', address) === undefined && prefixHolding('::/0', address) === undefined) {
      if (source === visit.source) return
      break
    }
    source = address
    if (!recursive || !isTrusted(address)) break
  }
  note(
    visit,
    'real_ip',
    `${visit.source} is trusted: the client is ${source}, as ${proxied ? 'the PROXY protocol' : header} says`,
    trusted[0],
  )
  visit.source = source
}
