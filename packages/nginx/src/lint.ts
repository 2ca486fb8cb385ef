import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { LintFinding } from './lint/finding.ts'
import type { Upstreams } from './lint/option-statements.ts'
import { scopeRules, workspaceRules } from './lint/rules.ts'
import { hostScope, type Scope, type SettingsScope, settingsScope } from './lint/scope.ts'
import type { LintSubject } from './lint/subject.ts'

/** Everything that the rules find in a workspace: in its settings, in each virtual host, and between its objects. */
export function lint(subject: LintSubject): LintFinding[] {
  const outer = settingsScope(subject.workspace_id, subject.settings)
  const upstreams = new Map(subject.upstreams.map((each) => [each.id, each]))
  return [
    ...lintSettings(outer),
    ...subject.virtual_hosts.flatMap((host) => lintVirtualHost(host, upstreams, outer)),
    ...lintWorkspace(subject),
  ]
}

/** What the rules find in the settings of a workspace. */
export function lintSettings(outer: SettingsScope): LintFinding[] {
  return lintScope(outer)
}

/** What the rules find in one virtual host, which depends on nothing but it, the upstreams that it uses and the settings. */
export function lintVirtualHost(host: VirtualHost, upstreams: Upstreams, outer: SettingsScope): LintFinding[] {
  return lintScope(hostScope(host, upstreams, outer))
}

/** What the rules find between the objects of a workspace. */
export function lintWorkspace(subject: LintSubject): LintFinding[] {
  return workspaceRules.flatMap((rule) => rule(subject))
}

function lintScope(scope: Scope): LintFinding[] {
  return scopeRules.flatMap((rule) => rule(scope))
}
