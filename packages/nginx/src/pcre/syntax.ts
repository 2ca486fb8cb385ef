/** One item of a regular expression. Sets hold a flag for each of the 256 bytes. */
export type Item =
  | { kind: 'set'; has: Uint8Array }
  | { kind: 'start' | 'line_start' | 'end' | 'end_only' | 'line_end' | 'boundary' | 'not_boundary' }
  | { kind: 'group'; index: number | undefined; of: Item; atomic: boolean }
  | { kind: 'look'; behind: number[] | undefined; negative: boolean; of: Item }
  | { kind: 'back'; index: number; caseless: boolean }
  | { kind: 'sequence'; items: Item[] }
  | { kind: 'either'; branches: Item[] }
  | { kind: 'repeat'; of: Item; min: number; max: number; mode: 'greedy' | 'lazy' | 'possessive' }

/** The shortest and longest text an item can match, or undefined where the longest has no bound. */
export function widthOf(item: Item): { min: number; max: number | undefined } {
  switch (item.kind) {
    case 'set':
      return { min: 1, max: 1 }
    case 'group':
      return widthOf(item.of)
    case 'back':
      return { min: 0, max: undefined }
    case 'sequence':
      return item.items.map(widthOf).reduce(
        (sum, width) => ({
          min: sum.min + width.min,
          max: sum.max === undefined || width.max === undefined ? undefined : sum.max + width.max,
        }),
        { min: 0, max: 0 },
      )
    case 'either': {
      const widths = item.branches.map(widthOf)
      const most = widths.map(({ max }) => max ?? Number.POSITIVE_INFINITY)
      const max = Math.max(...most)
      return { min: Math.min(...widths.map(({ min }) => min)), max: max === Number.POSITIVE_INFINITY ? undefined : max }
    }
    case 'repeat': {
      const { min, max } = widthOf(item.of)
      const bounded = max === 0 ? 0 : item.max === Number.POSITIVE_INFINITY || max === undefined ? undefined : max * item.max
      return { min: min * item.min, max: bounded }
    }
    default:
      return { min: 0, max: 0 }
  }
}
