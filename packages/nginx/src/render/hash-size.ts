/** The bucket that the longest name needs: nginx's pointer, length and alignment, then the next power of two. Source: nginx, ngx_hash_init. */
export function bucketSize(names: readonly string[]): number {
  let longest = 0
  for (const name of names) if (!name.startsWith('~') && name.length > longest) longest = name.length
  return powerOfTwo(24 + Math.ceil((longest + 2) / 8) * 8, 128)
}

/** The least power of two that is not below `least`, from `start` on. */
export function powerOfTwo(least: number, start: number): number {
  let size = start
  while (size < least) size *= 2
  return size
}
