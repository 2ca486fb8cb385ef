import type { ChannelInput } from '@nxmesh/model/notification-channel'

/** Where a channel leads, with the secrets that it takes. At rest it is encrypted as a whole. */
export type ChannelTarget =
  | { kind: 'webhook'; url: string; secret: string; former: { secret: string; until: string } | null }
  | { kind: 'slack'; url: string }
  | { kind: 'email'; recipients: string[] }

/** A text of somebody else without what is secret in a target. */
export function hidden(target: ChannelTarget, text: string): string {
  const secrets: string[] = []
  if (target.kind === 'slack') {
    const { pathname, search } = new URL(target.url)
    const path = `${pathname}${search}`
    secrets.push(target.url, path, ...path.split(/[/?&=]/).filter((part) => part.length >= 8))
  }
  if (target.kind === 'webhook') secrets.push(target.secret, ...(target.former ? [target.former.secret] : []))
  return secrets.filter((secret) => secret.length > 1).reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
}

/** The address that what a user says leads to, if it is one of the web. */
export function urlOf(input: ChannelInput): URL | undefined {
  return input.kind === 'email' ? undefined : new URL(input.url)
}
