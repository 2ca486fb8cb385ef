import type { WebhookSettings } from '@nxmesh/model/dns-provider'
import { call, isPassing } from './call.ts'
import type { DnsOutcome, DnsParts, DnsProvider, TxtRecord } from './provider.ts'
import { basicOf } from './target.ts'

/** Asks a program of the user's own, in the words of lego's `httpreq`. */
export function openWebhook({ url, username, password }: WebhookSettings, { outbound }: DnsParts): DnsProvider {
  const credentials = username === null ? {} : { authorization: `Basic ${basicOf(username, password ?? '')}` }

  async function post(step: 'present' | 'cleanup', { name, value }: TxtRecord): Promise<DnsOutcome> {
    const answer = await call(outbound, {
      method: 'POST',
      url: stepUrl(url, step),
      headers: { 'content-type': 'application/json', accept: 'application/json', ...credentials },
      // There a name ends with its dot.
      body: JSON.stringify({ fqdn: `${name}.`, value }),
    })
    if (!answer.ok) return answer
    const { status, text } = answer
    if (status >= 200 && status < 300) return { ok: true }
    return { ok: false, message: `${new URL(url).host} answered ${status}: ${text.slice(0, 300)}`, retry: isPassing(status) }
  }

  return { present: (record) => post('present', record), cleanup: (record) => post('cleanup', record) }
}

function stepUrl(base: string, step: string): string {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${step}`
  return url.href
}
