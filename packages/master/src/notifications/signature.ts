import { createHmac, randomBytes } from 'node:crypto'

const begin = 'whsec_'

/** A new secret for signing webhooks. */
export function newSecret(): string {
  return `${begin}${randomBytes(32).toString('base64')}`
}

interface Signed {
  id: string
  /** Seconds since the epoch. */
  seconds: number
  body: string
}

/** The headers that identify and sign a webhook, once with each secret. Source: Standard Webhooks 1.0. */
export function signatureHeaders({ id, seconds, body }: Signed, secrets: string[]): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(begin.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') }
}
