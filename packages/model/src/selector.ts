import { type Labels, labelKey, labelValue } from './labels.ts'

export type Requirement =
  | { kind: 'in'; key: string; values: string[] }
  | { kind: 'notin'; key: string; values: string[] }
  | { kind: 'exists'; key: string }
  | { kind: 'absent'; key: string }

export type Selector = readonly Requirement[]

/**
 * Parses a label selector: `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, joined by commas.
 * Returns the requirements, or a sentence saying what is wrong. Grammar: Kubernetes, "Labels and Selectors".
 */
export function parseSelector(text: string): { ok: true; selector: Selector } | { ok: false; message: string } {
  if (text.trim() === '') return { ok: true, selector: [] }
  const selector: Requirement[] = []
  for (const part of splitOutsideParentheses(text)) {
    const requirement = parseRequirement(part.trim())
    if (typeof requirement === 'string') return { ok: false, message: requirement }
    selector.push(requirement)
  }
  return { ok: true, selector }
}

/** Tells whether labels meet every requirement of a selector; the empty selector matches everything. */
export function matches(selector: Selector, labels: Labels): boolean {
  return selector.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
    switch (requirement.kind) {
      case 'in':
        return value !== undefined && requirement.values.includes(value)
      case 'notin':
        return value === undefined || !requirement.values.includes(value)
      case 'exists':
        return value !== undefined
      case 'absent':
        return value === undefined
      default:
        return requirement satisfies never
    }
  })
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function parseRequirement(part: string): Requirement | string {
  if (part === '') return 'has an empty requirement between commas'
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part)
  if (set) {
    const values = set[3]!.split(',').map((value) => value.trim())
    return checked({ kind: set[2] as 'in' | 'notin', key: set[1]!, values }, part)
  }
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/.exec(part)
  if (equality) {
    return checked({ kind: equality[2] === '!=' ? 'notin' : 'in', key: equality[1]!, values: [equality[3]!] }, part)
  }
  const absent = /^!\s*(\S+)$/.exec(part)
  if (absent) return checked({ kind: 'absent', key: absent[1]! }, part)
  return checked({ kind: 'exists', key: part }, part)
}

function checked(requirement: Requirement, part: string): Requirement | string {
  if (!labelKey.safeParse(requirement.key).success) return `"${part}" is not a requirement on a label`
  if (requirement.kind === 'in' || requirement.kind === 'notin') {
    const bad = requirement.values.find((value) => !labelValue.safeParse(value).success)
    if (bad !== undefined) return `"${bad}" is not a label value`
  }
  return requirement
}
