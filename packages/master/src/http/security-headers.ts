/**
 * What browsers are told with every answer: take it for what it says it is, tell nobody where you came from, run and frame
 * nothing of it. A page of ours replaces the content policy. Over https, stay there (RFC 6797).
 */
export function securityHeaders(publicUrl: string | undefined): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-frame-options': 'DENY',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    ...(publicUrl?.startsWith('https:') ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  }
}
