import type { WorkspaceFinding } from '@nxmesh/model/workspace-finding'

/** What a rule finds: always with a field, a fix and the page that the rule follows. */
export interface LintFinding extends Pick<WorkspaceFinding, 'severity' | 'code' | 'reason'> {
  object: LintObject
  field: string
  fix: string
  source: string
}

/** The object that a finding is about. */
export interface LintObject {
  kind: WorkspaceFinding['object']['kind']
  id: string
  name: string
}

/** What all findings of one rule have in common. */
export type RuleFacts = Pick<LintFinding, 'severity' | 'code' | 'source'>

/** One finding of a rule. */
export function found(rule: RuleFacts, object: LintObject, field: string, reason: string, fix: string): LintFinding {
  return { severity: rule.severity, code: rule.code, object, field, reason, fix, source: rule.source }
}
