const hidden = '[redacted]'
const secretName =
  /passw(or)?d|pwd|(^|[_-])(auth|signature)$|passphrase|secret|(^|[_-])token($|[_-])|(access|refresh|bearer|api|auth)[_-]?(token|key)|private[_-]?key|key[_-]?pem|authorization|cookie|credential/i
// In directives a name may stand anywhere, and what follows it may be the secret.
const secretWord = /authorization|cookie|passw(or)?d|secret|api[_-]?key|[_-]token|(^|-)(bearer|basic)$/i
// As the name of a parameter in an address, or of an argument.
const secretParameter = /^(token|jwt|auth|sig|signature|key|pass|pwd)$/i
const equals = /=(?=\S)/y
const separator = /["']?[\s=:]+(?=\S)/y
const userInfo = /(\/\/)[^/\s"']+@/g
const ownToken = /\bnxm(?:esh_[a-z]+)?_[A-Za-z0-9_-]{8,}/g
const pem = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g

/** A text of a person that may be kept and shown: without tokens of ours, private keys and user information of addresses. */
export function redactedWords(text: string): string {
  return text.replace(pem, hidden).replace(userInfo, `$1${hidden}@`).replace(ownToken, hidden)
}

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
    Object.entries(value).map(([key, member]) => {
      if (isSecret(key, member) || (named && key === 'value')) return [key, hidden]
      return [key, key === 'env_vars' ? valuesHidden(member) : redacted(member)]
    }),
  )
}

// What programs are told by their environment is a secret as often as not, under any name.
function valuesHidden(variables: unknown): unknown {
  if (typeof variables !== 'object' || variables === null) return redacted(variables)
  return Object.fromEntries(Object.keys(variables).map((name) => [name, hidden]))
}

function isSecret(key: string, member: unknown): boolean {
  return secretName.test(key) && member !== null && typeof member !== 'boolean' && typeof member !== 'number'
}

function redactedText(text: string): string {
  return withoutWhatFollows(redactedWords(text))
}

// Word by word, so that no text takes longer than its length: whoever sends it may mean harm.
function withoutWhatFollows(text: string): string {
  for (const { 0: word, index } of text.matchAll(/[\w-]+/g)) {
    const follows = secretWord.test(word) ? separator : secretParameter.test(word) ? equals : undefined
    if (!follows) continue
    follows.lastIndex = index + word.length
    if (follows.test(text)) return `${text.slice(0, follows.lastIndex)}${hidden}`
  }
  return text
}
