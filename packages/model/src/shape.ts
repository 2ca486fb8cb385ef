/** What a value looks like, for programs that have no schema library in memory. */
export type Shape =
  | { type: 'object'; members: Readonly<Record<string, Shape>>; required: readonly string[] }
  | { type: 'list'; of: Shape; min: number; max: number }
  | { type: 'text'; patterns: readonly RegExp[]; min: number; max: number }
  | { type: 'integer'; min: number; max: number }
  | { type: 'boolean' }
  | { type: 'one of'; values: readonly unknown[] }
  | { type: 'any of'; shapes: readonly Shape[] }

/** Where in a value something is not as the shape says: dotted paths, none where all of it is. */
export function misfits(shape: Shape, value: unknown, path = ''): string[] {
  const fits = (is: boolean) => (is ? [] : [path])
  const inside = (member: string | number) => (path === '' ? `${member}` : `${path}.${member}`)
  switch (shape.type) {
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
      const missing = shape.required.filter((name) => !Object.hasOwn(value, name)).map(inside)
      const wrong = Object.entries(value).flatMap(([name, member]) =>
        Object.hasOwn(shape.members, name) ? misfits(shape.members[name]!, member, inside(name)) : [inside(name)],
      )
      return [...missing, ...wrong]
    }
    case 'list':
      if (!Array.isArray(value) || !isWithin(value.length, shape)) return [path]
      return value.flatMap((item, at) => misfits(shape.of, item, inside(at)))
    case 'text':
      return fits(typeof value === 'string' && isWithin(value.length, shape) && shape.patterns.every((pattern) => pattern.test(value)))
    case 'integer':
      return fits(Number.isSafeInteger(value) && isWithin(value as number, shape))
    case 'boolean':
      return fits(typeof value === 'boolean')
    case 'one of':
      return fits(shape.values.includes(value))
    case 'any of':
      return fits(shape.shapes.some((each) => misfits(each, value).length === 0))
    default:
      return shape satisfies never
  }
}

function isWithin(number: number, { min, max }: { min: number; max: number }): boolean {
  return min <= number && number <= max
}
