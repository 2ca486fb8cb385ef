import { createTransport } from 'nodemailer'
import { failure, type Outcome } from './outcome.ts'
import type { Words } from './words.ts'

/** The SMTP server that mail goes to, and what mail is from. */
export interface MailSettings {
  url: string
  from: string
  /** Milliseconds for each step. */
  timeout: number
}

export type SendMail = (to: string[], id: string, words: Words) => Promise<Outcome>

export function openMail({ url, from, timeout }: MailSettings): SendMail {
  const timeouts = { connectionTimeout: timeout, greetingTimeout: timeout, socketTimeout: timeout, dnsTimeout: timeout }
  const transport = createTransport({ url, ...timeouts, disableFileAccess: true, disableUrlAccess: true })
  const host = from.slice(from.lastIndexOf('@') + 1).replace(/>$/, '')
  return async (to, id, { subject, text }) => {
    try {
      // The same id each time, by which mail programs know what they have.
      const sent = await transport.sendMail({ from, to, subject, text, messageId: `<${id}@${host}>` })
      const refused = sent.rejected.map(String)
      const error = refused.length === 0 ? null : `not taken for ${refused.join(', ')}`
      return { result: 'delivered', status: statusOf(sent.response), response: sent.response, error, retryAfter: 0 }
    } catch (error) {
      const { responseCode, message } = error as { responseCode?: number; message: string }
      return { ...failure(message), status: responseCode ?? null }
    }
  }
}

function statusOf(response: string): number | null {
  const status = Number.parseInt(response, 10)
  return Number.isNaN(status) ? null : status
}
