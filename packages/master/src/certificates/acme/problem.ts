import { z } from 'zod'

/** Why an ACME server refused something, or why there was no answer. */
export interface AcmeProblem {
  /** Of RFC 8555 section 6.7 without its prefix, or one of ours: `unreachable`, `malformedAnswer`. */
  type: string
  detail: string
  status: number | null
  /** Milliseconds since the epoch before which the server wants no other try. */
  retryAt: number | null
  subproblems: { identifier: string | null; type: string; detail: string }[]
}

export type AcmeResult<T> = { ok: true; value: T } | { ok: false; problem: AcmeProblem }

const longest = 10_000
const text = z
  .string()
  .nullish()
  .transform((said) => (said ?? '').slice(0, longest))

const document = z.object({
  type: text,
  detail: text,
  subproblems: z
    .array(z.object({ type: text, detail: text, identifier: z.object({ value: text }).nullish() }))
    .nullish()
    .transform((list) => list ?? []),
})

/** Reads a problem document (RFC 9457) as ACME servers send it; what is none is a problem of its own. */
export function readProblem(body: unknown, status: number | null, retryAt: number | null): AcmeProblem {
  const read = document.safeParse(body)
  const { type, detail, subproblems } = read.success ? read.data : { type: '', detail: '', subproblems: [] }
  const isTyped = type !== '' && type !== 'about:blank'
  return {
    type: isTyped ? bare(type) : typeOf(status),
    detail: detail === '' && !isTyped ? `status ${status}` : detail,
    status,
    retryAt,
    subproblems: subproblems.map((one) => ({ identifier: one.identifier?.value ?? null, type: bare(one.type), detail: one.detail })),
  }
}

export function ownProblem(type: 'unreachable' | 'malformedAnswer', detail: string): { ok: false; problem: AcmeProblem } {
  return { ok: false, problem: { type, detail, status: null, retryAt: null, subproblems: [] } }
}

// What says nothing of its kind comes from a proxy before the CA, or from its framework.
function typeOf(status: number | null): string {
  if (status === 429) return 'rateLimited'
  return status !== null && status >= 500 ? 'serverInternal' : 'malformedAnswer'
}

function bare(type: string): string {
  return type.replace(/^urn:ietf:params:acme:error:/, '')
}

/** What went wrong in plain words, and what to do about it. */
export function explainProblem({ type, detail, status, subproblems }: AcmeProblem): { message: string; fix: string } {
  // Of a challenge it speaks of the name; as the answer to a request, of who asked.
  const known = type === 'unauthorized' && status !== null ? notAllowed : Object.hasOwn(words, type) && words[type]
  const [what, fix] = known || ['The CA refused', 'Look at what the CA says.']
  const each = subproblems.map((one) => `${one.identifier === null ? '' : `${one.identifier}: `}${one.detail}`)
  const said = [detail, ...each].filter((part) => part !== '').join('; ')
  return { message: said === '' ? `${what}.` : `${what}: ${said.replace(/\.$/, '')}.`, fix }
}

const again = 'It is tried again by itself.'

const notAllowed = [
  'The CA does not let the account do this',
  'Look at what the CA says. Where it has closed the account, or no longer takes its binding, use another ACME account.',
] as const

const words: Record<string, [what: string, fix: string]> = {
  unreachable: ['The ACME server could not be reached', `Look whether the master may reach it. ${again}`],
  malformedAnswer: ['The ACME server answered something that is not ACME', `Look at the address of its directory. ${again}`],
  accountDoesNotExist: ['The CA does not know the account', 'It is registered anew by itself.'],
  alreadyReplaced: ['The certificate has a successor already', again],
  alreadyRevoked: ['The certificate is revoked already', 'There is nothing to do.'],
  badCSR: ['The CA does not take the request', 'Try another key_type, or fewer names.'],
  badNonce: ['The CA did not take our nonces', again],
  badPublicKey: ['The CA does not take the key', 'Try another key_type.'],
  badRevocationReason: ['The CA does not take this reason', 'Revoke it with reason unspecified.'],
  badSignatureAlgorithm: ['The CA does not take signatures of the account’s kind', 'Use another CA.'],
  caa: ['CAA records forbid this CA to issue for the name', 'Add a CAA record that names the CA, or take the others away.'],
  compound: ['Several names failed', 'Look at each of them.'],
  connection: [
    'The CA could not connect to the name',
    'Open port 80 to the agents, look at firewalls and at AAAA records that lead elsewhere, or use dns-01.',
  ],
  dns: ['The CA could not look the name up', 'Mend its records in the DNS; an address or TXT record may be missing, or DNSSEC broken.'],
  externalAccountRequired: [
    'The CA registers accounts only with an external account binding',
    'Give the ACME account the eab_kid and eab_hmac_key that the CA hands out.',
  ],
  incorrectResponse: [
    'The CA found another answer than ours',
    'Look what answers the challenge for this name: another server, a proxy, or an old TXT record.',
  ],
  invalidContact: ['The CA does not take the e-mail address', 'Change the email of the ACME account.'],
  invalidProfile: ['The CA does not have the profile', 'Choose another profile, or none.'],
  malformed: ['The CA did not understand the request', `This may be a fault of ours, or of the CA. ${again}`],
  orderNotReady: ['The CA was not ready to issue', again],
  rateLimited: [
    'The CA takes no more orders for now',
    'Wait: it is tried again when the CA allows it. Fewer orders for the same names keep within its limits.',
  ],
  rejectedIdentifier: ['The CA does not issue for the name', 'Look at the CA’s policy; the name may be reserved, blocked or not public.'],
  serverInternal: ['The CA has trouble of its own', again],
  tls: ['The CA could not speak TLS to the name', 'Look at what answers on port 443 for this name.'],
  unauthorized: [
    'The CA was not shown that the name is ours',
    'Look what answers on port 80 for this name, or which TXT records it has: it must be an agent of this workspace.',
  ],
  unsupportedContact: ['The CA does not take this kind of contact', 'Change the email of the ACME account.'],
  unsupportedIdentifier: ['The CA does not issue for this kind of name', 'Use host names, or a profile that allows addresses.'],
  userActionRequired: ['The CA wants somebody to act first', 'Follow what it says, then renew.'],
}
