/** The bucket that the longest name needs: nginx's pointer, length and alignment, then the next power of two. Source: nginx, ngx_hash_init. */
export function bucketSize(names: readonly string[]): number {
  let longest = 0
  for (const name of names) if (!name.startsWith('~')) longest = Math.max(longest, Buffer.byteLength(name))
  return powerOfTwo(24 + Math.ceil((longest + 2) / 8) * 8, 128)
}

const defaultMapSize = 2048

/** What nginx's maps need to hold all of these keys, where there are any: said before the first of them, or nginx takes its own sizes. */
export function mapHashSizes(keys: readonly string[]): (readonly [name: string, value: string])[] {
  if (keys.length === 0) return []
  const most = powerOfTwo(keys.length * 4, defaultMapSize)
  return [['map_hash_bucket_size', `${bucketSize(keys)}`], ...(most > defaultMapSize ? ([['map_hash_max_size', `${most}`]] as const) : [])]
}

/** The longest name in bytes that a hash with nginx's default bucket takes. */
export const longestHashed = 46

/** The least power of two that is not below `least`, from `start` on. */
export function powerOfTwo(least: number, start: number): number {
  let size = start
  while (size < least) size *= 2
  return size
}
