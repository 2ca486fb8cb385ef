import { writeFileSync } from 'node:fs'

/**
 * Keeps private keys out of core files: those of this process, and of all that it starts from now on, hold no memory. False where the
 * kernel knows no such thing. Source: core(5), coredump_filter.
 */
export function keepMemoryOutOfCoreFiles(): boolean {
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
    return true
  } catch {
    return false
  }
}
