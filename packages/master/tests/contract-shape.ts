/** Where an answer lacks a field that the contract shows, or has it with another type: one sentence for each. */
export function shapeProblems(shown: unknown, actual: unknown, at = 'body'): string[] {
  const [wanted, found] = [typeOf(shown), typeOf(actual)]
  if (wanted !== found) return [`${at} should be ${wanted} and is ${found}`]
  if (Array.isArray(shown)) {
    const items = actual as unknown[]
    if (shown.length > 0 && items.length === 0) return [`${at} is empty`]
    return items.flatMap((item, index) => shapeProblems(shown[Math.min(index, shown.length - 1)], item, `${at}[${index}]`))
  }
  if (wanted !== 'object') return []
  const fields = actual as Record<string, unknown>
  return Object.entries(shown as object).flatMap(([name, value]) =>
    name in fields ? shapeProblems(value, fields[name], `${at}.${name}`) : [`${at}.${name} is missing`],
  )
}

/** The type of a JSON value, where ids, moments and whole numbers count as types of their own. */
function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (typeof value !== 'string') return typeof value
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return 'id'
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) ? 'moment' : 'text'
}
