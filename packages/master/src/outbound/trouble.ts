// Source: OpenSSL, X509_STORE_CTX_get_error(3); Node names the errors alike.
const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What went wrong where no answer came, in words. */
export function troubleOf(error: unknown): string {
  // Several addresses were tried, and each has an error of its own.
  if (error instanceof AggregateError) return troubleOf(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  const { code, reason } = error as { code?: string; reason?: string }
  if (code !== undefined && untrusted.has(code)) {
    // Node goes on with what to start it with.
    return `its certificate comes from no authority that is trusted here: ${error.message.split(';')[0]}`
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for others: ${reason}`
  // OpenSSL's own words stand between a thread and a line of its source.
  const [, words] = /:SSL routines:[^:]*:([^:]+):/.exec(error.message) ?? []
  return words === undefined ? error.message : `TLS failed: ${words}`
}
