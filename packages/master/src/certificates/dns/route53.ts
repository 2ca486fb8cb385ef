import type { Route53Settings } from '@nxmesh/model/dns-provider'
import { call, isPassing } from './call.ts'
import type { DnsOutcome, DnsParts, DnsProvider, TxtRecord } from './provider.ts'
import { changeBatch, errorOf, hostedZones, type RecordSet, recordSet } from './route53-xml.ts'
import { signedHeaders } from './sigv4.ts'
import { possibleZones } from './zones.ts'

type Failure = Extract<DnsOutcome, { ok: false }>
type Asked = { ok: true; xml: string } | (Failure & { code: string })

const ttl = 60
const tries = 5
const passing = ['Throttling', 'ThrottlingException', 'PriorRequestNotComplete', 'ServiceUnavailable', 'InternalFailure']

export function openRoute53(
  settings: Route53Settings,
  { outbound, now }: Pick<DnsParts, 'outbound' | 'now'>,
  base = 'https://route53.amazonaws.com',
): DnsProvider {
  async function ask(method: 'GET' | 'POST', path: string, body = ''): Promise<Asked> {
    const request = { method, url: `${base}/2013-04-01${path}`, headers: body === '' ? {} : { 'content-type': 'text/xml' }, body }
    const headers = signedHeaders(request, settings, { region: 'us-east-1', service: 'route53', now: now() })
    const called = await call(outbound, { method, url: request.url, headers, ...(body === '' ? {} : { body }) })
    if (!called.ok) return { ...called, code: '' }
    if (called.status === 200) return { ok: true, xml: called.text }
    const { code, message } = errorOf(called.text)
    const words = code === '' ? `it answered ${called.status}` : `${message || 'refused'} (${code})`
    return { ok: false, message: `Route 53: ${words}`, retry: isPassing(called.status) || passing.includes(code), code }
  }

  async function zoneOf(name: string): Promise<{ ok: true; id: string } | Failure> {
    if (settings.hosted_zone_id !== null) return { ok: true, id: settings.hosted_zone_id }
    for (const candidate of possibleZones(name.toLowerCase())) {
      const asked = await ask('GET', `/hostedzonesbyname?dnsname=${encodeURIComponent(candidate)}&maxitems=20`)
      if (!asked.ok) return asked
      const zone = hostedZones(asked.xml).find((one) => one.name === candidate)
      if (zone) return { ok: true, id: zone.id }
    }
    return { ok: false, message: `Route 53: there is no public hosted zone of ${name}`, retry: false }
  }

  // What was read is deleted and what is to be is created, in one batch: it is refused where somebody was faster, and tried again.
  async function replace(name: string, changed: (values: string[]) => string[]): Promise<DnsOutcome> {
    const zone = await zoneOf(name)
    if (!zone.ok) return outcomeOf(zone)
    const at = `/hostedzone/${zone.id}/rrset`
    for (let attempt = 1; ; attempt++) {
      const asked = await ask('GET', `${at}?maxitems=1&name=${encodeURIComponent(name)}&type=TXT`)
      if (!asked.ok) return outcomeOf(asked)
      const before = recordSet(asked.xml, name)
      if (before === 'routed') return { ok: false, message: `Route 53: the TXT records of ${name} follow a routing policy`, retry: false }
      const values = changed(before?.values ?? [])
      if (values.length === (before?.values.length ?? 0)) return { ok: true }
      const after: RecordSet | undefined = values.length === 0 ? undefined : { name, ttl: before?.ttl ?? ttl, values }
      const done = await ask('POST', `${at}/`, changeBatch(before, after))
      if (done.ok) return { ok: true }
      if (done.code !== 'InvalidChangeBatch') return outcomeOf(done)
      if (attempt === tries) return { ...outcomeOf(done), retry: true }
    }
  }

  return {
    present: ({ name, value }: TxtRecord) => replace(name, (values) => [...new Set([...values, `"${value}"`])]),
    cleanup: ({ name, value }: TxtRecord) => replace(name, (values) => values.filter((one) => one !== `"${value}"`)),
  }
}

function outcomeOf({ message, retry }: Failure): Failure {
  return { ok: false, message, retry }
}
