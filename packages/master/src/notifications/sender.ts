import { openOutbound, type Resolve } from '../outbound/outbound.ts'
import { troubleOf } from '../outbound/trouble.ts'
import { redactedWords } from '../redact.ts'
import { type MailSettings, openMail } from './mail.ts'
import { failure, type Outcome } from './outcome.ts'
import { retryAfterOf } from './schedule.ts'
import { signatureHeaders } from './signature.ts'
import { type ChannelTarget, hidden } from './target.ts'
import { escapedForSlack, type Words } from './words.ts'

/** What is sent: an event as JSON, under its id, and in words. */
export interface Message {
  id: string
  body: string
  words: Words
}

/** Sends to any kind of channel, once. */
export interface Sender {
  /** Whether there is an SMTP server for e-mail. */
  readonly takesMail: boolean
  /** Whether a URL names an address that nothing may be sent to. A name is looked up when something is. */
  isForbidden(url: URL): boolean
  send(target: ChannelTarget, message: Message, signal: AbortSignal): Promise<Outcome>
}

export interface SenderSettings {
  /** Networks that are not public and may be reached all the same. */
  networks: string[]
  smtp: Pick<MailSettings, 'url' | 'from'> | undefined
  now: () => number
  /** Milliseconds for one attempt. */
  timeout?: number | undefined
  resolve?: Resolve | undefined
}

const longestText = 1000

export function openSender({ networks, smtp, now, timeout = 10_000, resolve }: SenderSettings): Sender {
  const outbound = openOutbound(networks, resolve)
  const mail = smtp && openMail({ ...smtp, timeout })

  async function attempt(target: ChannelTarget, { id, body, words }: Message, signal: AbortSignal): Promise<Outcome> {
    switch (target.kind) {
      case 'webhook': {
        const at = now()
        const former = target.former && Date.parse(target.former.until) > at ? [target.former.secret] : []
        const signed = signatureHeaders({ id, seconds: Math.floor(at / 1000), body }, [target.secret, ...former])
        return call(target.url, signed, body, signal)
      }
      case 'slack':
        return call(target.url, {}, JSON.stringify({ text: escapedForSlack(words.text) }), signal)
      case 'email':
        return mail
          ? unlessOver(mail(target.recipients, id, words), signal)
          : failure('this master has no SMTP server: start it with --smtp-url')
      default:
        return target satisfies never
    }
  }

  async function call(url: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Outcome> {
    const common = { 'content-type': 'application/json', accept: '*/*', 'user-agent': 'NxMesh', ...headers }
    const deadline = AbortSignal.timeout(timeout)
    try {
      const request = {
        method: 'POST',
        url,
        headers: common,
        body,
        signal: AbortSignal.any([signal, deadline]),
        mostRead: longestText,
      } as const
      const { status, headers: told, body: text } = await outbound.exchange(request)
      const response = text.toString('utf8')
      if (status >= 200 && status < 300) return { result: 'delivered', status, response, error: null, retryAfter: 0 }
      const waits = status === 429 || status === 503 ? retryAfterOf(told['retry-after'], now()) : 0
      return { result: status === 410 ? 'gone' : 'failed', status, response, error: `it answered ${status}`, retryAfter: waits }
    } catch (error) {
      return failure(deadline.aborted ? `no answer within ${timeout / 1000} s` : troubleOf(error))
    }
  }

  // An exchange with an SMTP server has several steps, each with its own deadline.
  async function unlessOver(sending: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(3 * timeout)])
    const ended = new Promise<Outcome>((resolve) => {
      over.addEventListener('abort', () => resolve(failure('the SMTP server took too long')), { once: true })
    })
    return Promise.race([sending, ended])
  }

  return {
    takesMail: mail !== undefined,
    isForbidden: (url) => outbound.isForbidden(url),
    async send(target, message, signal) {
      const outcome = await attempt(target, message, signal)
      const clean = (text: string | null) => text && storable(redactedWords(hidden(target, text)))
      return { ...outcome, response: clean(outcome.response), error: clean(outcome.error) }
    },
  }
}

function storable(text: string): string {
  return text
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, ' ')
    .slice(0, longestText)
    .toWellFormed()
}
