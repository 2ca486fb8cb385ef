const hidden = '[redacted]'
const secretName =
  /passw(or)?d|passphrase|secret|(^|[_-])token($|[_-])|(access|refresh|bearer|api|auth)[_-]?(token|key)|private[_-]?key|key[_-]?pem|authorization|cookie|credential/i
// In directives a name may stand anywhere, and what follows it may be the secret.
const secretInText =
  /((?:[\w-]*(?:authorization|cookie|passw(?:or)?d|secret|api[_-]?key|[_-]token)[\w-]*|\b(?:bearer|basic))["']?[\s=:]+)\S.*/gis
const userInfo = /(\/\/)[^/\s@"']+@/g
const ownToken = /\bnxm(?:esh_agent)?_[A-Za-z0-9_-]{8,}/g
const pem = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g

/**
 * A copy of a JSON value that may be kept and shown: what is named like a secret is replaced, and so is what looks like one
 * inside of texts. Header values follow the name beside them.
 */
export function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactedText(value)
  if (Array.isArray(value)) return value.map(redacted)
  if (typeof value !== 'object' || value === null) return value
  const { name } = value as { name?: unknown }
  const named = typeof name === 'string' && secretName.test(name)
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, isSecret(key, member) || (named && key === 'value') ? hidden : redacted(member)]),
  )
}

function isSecret(key: string, member: unknown): boolean {
  return secretName.test(key) && member !== null && typeof member !== 'boolean' && typeof member !== 'number'
}

function redactedText(text: string): string {
  return text.replace(pem, hidden).replace(userInfo, `$1${hidden}@`).replace(ownToken, hidden).replace(secretInText, `$1${hidden}`)
}
