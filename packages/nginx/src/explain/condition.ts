import { regexOf } from '../pcre/regex.ts'
import type { Node } from './read-config.ts'
import { Unsure } from './unsure.ts'
import { variableOf } from './variables.ts'
import { matchInScript, type Visit } from './visit.ts'

export interface Condition {
  variable: string
  operator: '' | '=' | '!=' | '~' | '~*' | '!~' | '!~*'
  /** What it is held against. */
  value: string
}

/** Reads what stands between the parentheses of an `if`. Source: nginx, ngx_http_rewrite_if_condition. */
export function conditionOf(node: Node): Condition {
  const args = [...node.args]
  args[0] = args[0]!.replace(/^\(/, '')
  if (args[0] === '') args.shift()
  const last = args.length - 1
  args[last] = args[last]!.replace(/\)$/, '')
  if (args[last] === '' && args.length > 1 && node.args.at(-1) === ')') args.pop()
  const [variable = '', operator = '', value = ''] = args
  if (!variable.startsWith('$')) throw new Unsure(`whether "${args.join(' ')}" is true: that depends on files of the host`, node)
  return { variable: variable.slice(1).toLowerCase(), operator: operator as Condition['operator'], value }
}

/** Whether a condition holds. `expandValue` gives what its right side stands for. */
export function holds(visit: Visit, condition: Condition, expandValue: (text: string) => string, node: Node): boolean {
  const { variable, operator, value } = condition
  const left = variableOf(visit, variable, node)
  switch (operator) {
    case '':
      return left !== '' && left !== '0'
    case '=':
      return left === expandValue(value)
    case '!=':
      return left !== expandValue(value)
    default: {
      const negative = operator.startsWith('!')
      const regex = regexOf(value, operator.endsWith('*'))
      return matchInScript(visit, regex, left, node) !== negative
    }
  }
}
