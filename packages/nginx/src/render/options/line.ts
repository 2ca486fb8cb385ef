/** One directive that a typed option is written as, and the field it comes from. */
export interface OptionLine {
  field: string
  name: string
  text: string
  /** A statement of the http block that it needs. */
  shared?: string
  /** What nginx must be able to do for it. */
  needs?: 'brotli' | 'realip'
}

/** A directive with a value that needs no quotes; nothing where there is no value. `shared` is a statement of the http block that it needs. */
export function line(field: string, name: string, value: string | number | boolean | undefined, shared?: string): OptionLine[] {
  if (value === undefined) return []
  const word = typeof value === 'boolean' ? (value ? 'on' : 'off') : value
  return [{ field, name, text: `${name} ${word};`, ...(shared === undefined ? {} : { shared }) }]
}

/** A directive whose value is a number of seconds. */
export function secondsLine(field: string, name: string, seconds: number | undefined): OptionLine[] {
  return line(field, name, seconds === undefined ? undefined : `${seconds}s`)
}
