import { accessAfterReturn } from './access-after-return.ts'
import { aliasTraversal } from './alias-traversal.ts'
import { allowWithoutDeny } from './allow-without-deny.ts'
import { blockingLua } from './blocking-lua.ts'
import { certificateEnding } from './certificate-ending.ts'
import { codeInjection } from './code-injection.ts'
import { crossSiteScripting } from './cross-site-scripting.ts'
import { droppedInheritance } from './dropped-inheritance.ts'
import { duplicateServerName } from './duplicate-server-name.ts'
import { externalResolver } from './external-resolver.ts'
import type { LintFinding } from './finding.ts'
import { headerRedefinition } from './header-redefinition.ts'
import { hiddenError } from './hidden-error.ts'
import { hidingAddress } from './hiding-address.ts'
import { hostSpoofing } from './host-spoofing.ts'
import { httpSplitting } from './http-splitting.ts'
import { ifIsEvil } from './if-is-evil.ts'
import { internalLocation } from './internal-location.ts'
import { lateHeaderRule } from './late-header-rule.ts'
import { luaCodeCache } from './lua-code-cache.ts'
import { missingResolver } from './missing-resolver.ts'
import { missingTimeouts } from './missing-timeouts.ts'
import { noAgent } from './no-agent.ts'
import { normalisedPath } from './normalised-path.ts'
import { openRedirect } from './open-redirect.ts'
import { plainPassword } from './plain-password.ts'
import { proxyAddress } from './proxy-address.ts'
import { proxyPath } from './proxy-path.ts'
import type { Scope } from './scope.ts'
import { shadowedLocation } from './shadowed-location.ts'
import { ssrf } from './ssrf.ts'
import type { LintSubject } from './subject.ts'
import { tryFilesWithProxy } from './try-files-with-proxy.ts'
import { unanchoredRegex } from './unanchored-regex.ts'
import { unusedCertificate, unusedUpstream } from './unused.ts'
import { unverifiedUpstream } from './unverified-upstream.ts'
import { upstreamDown } from './upstream-down.ts'
import { validReferersNone } from './valid-referers.ts'
import { versionDisclosure } from './version-disclosure.ts'
import { weakTls } from './weak-tls.ts'

/** Rules over one virtual host, or over the settings: they look at nothing else. */
export const scopeRules: readonly ((scope: Scope) => LintFinding[])[] = [
  ssrf,
  codeInjection,
  openRedirect,
  internalLocation,
  crossSiteScripting,
  httpSplitting,
  aliasTraversal,
  hostSpoofing,
  headerRedefinition,
  weakTls,
  plainPassword,
  ifIsEvil,
  validReferersNone,
  externalResolver,
  unanchoredRegex,
  tryFilesWithProxy,
  accessAfterReturn,
  allowWithoutDeny,
  proxyAddress,
  unverifiedUpstream,
  versionDisclosure,
  hiddenError,
  lateHeaderRule,
  droppedInheritance,
  shadowedLocation,
  proxyPath,
  normalisedPath,
  missingResolver,
  missingTimeouts,
  blockingLua,
  luaCodeCache,
]

/** Rules over the objects of a workspace together, its agents and the time. */
export const workspaceRules: readonly ((subject: LintSubject) => LintFinding[])[] = [
  duplicateServerName,
  hidingAddress,
  noAgent,
  certificateEnding,
  upstreamDown,
  unusedUpstream,
  unusedCertificate,
]
