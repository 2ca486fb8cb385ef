import type { CloudflareSettings } from '@nxmesh/model/dns-provider'
import { z } from 'zod'
import { call, isPassing } from './call.ts'
import type { DnsOutcome, DnsParts, DnsProvider, TxtRecord } from './provider.ts'
import { possibleZones } from './zones.ts'

const answer = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).nullish(),
  result: z.unknown(),
})
const zones = z.array(z.object({ id: z.string(), name: z.string() }))
const records = z.array(z.object({ id: z.string(), content: z.string() }))

type Failure = Extract<DnsOutcome, { ok: false }>
type Asked = { ok: true; result: unknown } | (Failure & { codes: number[] })

// Records of the same content, and records that are gone.
const there = [81_057, 81_058]
const gone = 81_044

export function openCloudflare(
  { api_token }: CloudflareSettings,
  { outbound }: Pick<DnsParts, 'outbound'>,
  base = 'https://api.cloudflare.com/client/v4',
): DnsProvider {
  async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Asked> {
    const headers = { authorization: `Bearer ${api_token}`, 'content-type': 'application/json' }
    const called = await call(outbound, { method, url: `${base}${path}`, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    if (!called.ok) return { ...called, codes: [] }
    const read = answer.safeParse(jsonOf(called.text))
    if (read.success && read.data.success) return { ok: true, result: read.data.result }
    const errors = read.data?.errors ?? []
    const words = errors.map(({ code, message }) => `${message} (${code})`).join(', ') || `it answered ${called.status}`
    return { ok: false, message: `Cloudflare: ${words}`, retry: isPassing(called.status), codes: errors.map(({ code }) => code) }
  }

  async function zoneOf(name: string): Promise<{ ok: true; id: string } | Failure> {
    for (const candidate of possibleZones(name)) {
      const asked = await ask('GET', `/zones?name=${encodeURIComponent(candidate)}`)
      if (!asked.ok) return asked
      const found = zones.safeParse(asked.result)
      if (!found.success) return unreadable
      const zone = found.data.find((one) => one.name === candidate.toLowerCase())
      if (zone) return { ok: true, id: zone.id }
    }
    return { ok: false, message: `Cloudflare: the token reaches no zone of ${name}`, retry: false }
  }

  return {
    async present({ name, value }) {
      const zone = await zoneOf(name)
      if (!zone.ok) return outcomeOf(zone)
      const asked = await ask('POST', `/zones/${zone.id}/dns_records`, { type: 'TXT', name, content: `"${value}"`, ttl: 60 })
      return asked.ok || asked.codes.some((code) => there.includes(code)) ? { ok: true } : outcomeOf(asked)
    },
    async cleanup({ name, value }: TxtRecord) {
      const zone = await zoneOf(name)
      if (!zone.ok) return outcomeOf(zone)
      const at = `/zones/${zone.id}/dns_records`
      const asked = await ask('GET', `${at}?type=TXT&per_page=100&name=${encodeURIComponent(name)}`)
      if (!asked.ok) return outcomeOf(asked)
      const found = records.safeParse(asked.result)
      if (!found.success) return unreadable
      for (const { id } of found.data.filter(({ content }) => content === value || content === `"${value}"`)) {
        const removed = await ask('DELETE', `${at}/${id}`)
        if (!removed.ok && !removed.codes.includes(gone)) return outcomeOf(removed)
      }
      return { ok: true }
    },
  }
}

const unreadable: Failure = { ok: false, message: 'Cloudflare answered something that cannot be read', retry: true }

function outcomeOf({ message, retry }: Failure): Failure {
  return { ok: false, message, retry }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
