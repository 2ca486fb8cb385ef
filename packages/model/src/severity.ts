/** How bad what an alert tells of is, mildest first. */
export const severities = ['info', 'warning', 'error', 'critical'] as const

export type Severity = (typeof severities)[number]

/** Whether an alert is at least as bad as asked for. A severity that nobody knows may be the worst. */
export function isAtLeast(severity: string, least: Severity): boolean {
  const rank = (severities as readonly string[]).indexOf(severity)
  return rank === -1 || rank >= severities.indexOf(least)
}
