import { domainToASCII } from 'node:url'

const label = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?'
const exact = new RegExp(`^${label}(\\.${label})*$`)
const wildcards = [new RegExp(`^\\*(\\.${label})+$`), new RegExp(`^${label}(\\.${label})*\\.\\*$`), new RegExp(`^(\\.${label})+$`)]

/**
 * Splits and normalises the `server_name` of a virtual host: names separated by spaces, lower-cased and in A-label form
 * (RFC 5890), regular expressions (`~…`) kept as they are. Returns the names, or a sentence on the first that nginx could
 * not match. Source: nginx "Server names".
 */
export function parseServerNames(text: string): { ok: true; names: string[] } | { ok: false; message: string } {
  const names: string[] = []
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const name = normalise(word)
    if (name === undefined) return { ok: false, message: `Invalid domain format: "${word}"` }
    if (names.includes(name)) return { ok: false, message: `"${word}" is named twice` }
    names.push(name)
  }
  if (names.length === 0) return { ok: false, message: 'must hold at least one name' }
  return { ok: true, names }
}

function normalise(word: string): string | undefined {
  if (word.startsWith('~')) return isRegularExpression(word.slice(1)) ? word : undefined
  if (word === '_') return word
  const lower = word.toLowerCase()
  const ascii = /^[\x20-\x7e]*$/.test(lower) ? lower : toALabels(lower)
  if (ascii === undefined || ascii.length > 253) return undefined
  if (exact.test(ascii) || wildcards.some((pattern) => pattern.test(ascii))) return ascii
  return undefined
}

function toALabels(name: string): string | undefined {
  const [, lead, middle, tail] = /^(\*?\.)?(.*?)(\.\*)?$/.exec(name) ?? []
  const ascii = domainToASCII(middle ?? '')
  return ascii === '' ? undefined : `${lead ?? ''}${ascii}${tail ?? ''}`
}

// nginx's PCRE knows more than ECMAScript does, so named groups and atomic groups must not fail here: only what cannot be a token, or begins by
// repeating nothing, does.
function isRegularExpression(pattern: string): boolean {
  return /^[\x21-\x7e]+$/.test(pattern) && !/^[*+?]/.test(pattern)
}
