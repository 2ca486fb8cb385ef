import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = { severity: 'warning', code: 'weak_tls', source: 'https://wiki.mozilla.org/Security/Server_Side_TLS' } as const

const oldProtocols = new Set(['SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1'])
// Without encryption, without authentication, or broken.
const weakCiphers =
  /^(ALL|COMPLEMENTOF.*|.*NULL.*|.*EXP(ORT)?\d*|.*EXPORT.*|LOW|.*RC4.*|.*MD5.*|(.*[-+])?DES(-CBC.*)?|.*3DES.*|.*DES-CBC3.*|A(EC)?DH(-.*)?|SEED|IDEA|RC2)$/
/** Protocols that RFC 8996 ends, and ciphers that protect nothing. */
export function weakTls(scope: Scope): LintFinding[] {
  const findings = [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    if (/^(proxy_|grpc_|uwsgi_)?ssl_protocols$/.test(name)) {
      const old = args.filter((each) => oldProtocols.has(each))
      return old.length === 0 ? [] : [found(rule, scope.object, field, `${old.join(', ')}: out of use since RFC 8996`, protocolFix(field))]
    }
    if (/^(proxy_|grpc_|uwsgi_)?ssl_ciphers$/.test(name)) {
      const weak = weakIn(args[0] ?? '')
      return weak.length === 0 ? [] : [found(rule, scope.object, field, `lets weak ciphers in: ${weak.join(', ')}`, cipherFix)]
    }
    return []
  })
  const isOld = scope.kind === 'settings' && scope.settings.tls_policy === 'old'
  // One policy becomes several directives.
  const rest = findings.filter(({ field }, at) => findings.findIndex((each) => each.field === field) === at)
  return isOld
    ? [...rest, found(rule, scope.object, 'tls_policy', 'the policy "old" speaks TLS 1.0 and 1.1: out of use since RFC 8996', policyFix)]
    : rest
}

const policyFix = 'use the policy "intermediate", which every browser of the last ten years speaks'
const cipherFix = 'leave it out: the policy of the virtual host or of the settings has ciphers of its own'

function protocolFix(field: string): string {
  return field === 'tls.policy' ? policyFix : 'say "TLSv1.2 TLSv1.3", or leave it out: the policy of TLS says which protocols are spoken'
}

// What is taken out again with "!" or "-" is named too. Source: openssl-ciphers(1).
function weakIn(list: string): string[] {
  return list.split(/[:, ]+/).filter((word) => !/^[!@+-]/.test(word) && weakCiphers.test(word))
}
