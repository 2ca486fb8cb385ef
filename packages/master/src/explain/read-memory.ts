import type { PlaceOf } from '@nxmesh/nginx/explain/places'
import type { Config } from '@nxmesh/nginx/explain/servers'

/** A rendered configuration that has been read. */
export interface Readable {
  config: Config
  placeOf: PlaceOf
  /** The length of its text. */
  size: number
}

/** The configurations read last, by what their rendering depends on. */
export interface ReadMemory {
  get(key: string): Readable | undefined
  set(key: string, read: Readable): void
}

/** Opens a memory of at most so many configurations and so many bytes of text: those that were asked for longest ago make room. */
export function openReadMemory({ most, mostBytes }: { most: number; mostBytes: number }): ReadMemory {
  const known = new Map<string, Readable>()
  let bytes = 0
  function forget(key: string) {
    bytes -= known.get(key)?.size ?? 0
    known.delete(key)
  }
  return {
    get(key) {
      const found = known.get(key)
      if (!found) return undefined
      known.delete(key)
      known.set(key, found)
      return found
    },
    set(key, read) {
      forget(key)
      if (read.size > mostBytes) return
      known.set(key, read)
      bytes += read.size
      for (const oldest of known.keys()) {
        if (known.size <= most && bytes <= mostBytes) break
        forget(oldest)
      }
    },
  }
}
