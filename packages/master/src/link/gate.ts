/**
 * Bounds how many bytes of configs are being written to all agents together: each stream copies what it sends, and a large
 * config for ten thousand agents must not be in memory ten thousand times.
 */
export interface Gate {
  /** Calls `turn` once there is room, which is at once when little is under way; its argument gives the room back. */
  enter(bytes: number, turn: (release: () => void) => void): void
}

/** `patience` is how long, in milliseconds, an agent that does not read may keep its room from others. */
export function openGate(capacity: number, patience: number): Gate {
  const waiting: { bytes: number; turn: (release: () => void) => void }[] = []
  let used = 0
  let next = 0
  let admitting = false

  // A turn may release or enter at once, so the loop guards itself.
  function admit() {
    if (admitting) return
    admitting = true
    admitAll()
    admitting = false
  }

  function admitAll() {
    while (next < waiting.length) {
      const { bytes, turn } = waiting[next]!
      if (used > 0 && used + bytes > capacity) return
      next++
      used += bytes
      let held = true
      const release = () => {
        if (!held) return
        held = false
        clearTimeout(timer)
        used -= bytes
        admit()
      }
      const timer = setTimeout(release, patience)
      turn(release)
    }
    waiting.length = 0
    next = 0
  }

  return {
    enter(bytes, turn) {
      waiting.push({ bytes, turn })
      admit()
    },
  }
}
