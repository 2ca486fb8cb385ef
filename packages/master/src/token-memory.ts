import type { Verified } from './tokens.ts'

/** Tokens whose signature was found good. What they allow is looked up with each request all the same. */
export interface TokenMemory {
  get(token: string, now: number): Verified | undefined
  /** Remembers a token until it ends. */
  set(token: string, verified: Verified): void
  forgetAll(): void
}

/** Opens a memory of at most `size` tokens; the oldest makes room. Proving a signature costs more than all else that a read does. */
export function openTokenMemory(size = 5000): TokenMemory {
  const known = new Map<string, Verified>()
  return {
    get(token, now) {
      const found = known.get(token)
      if (!found || now < found.ends) return found
      known.delete(token)
      return undefined
    },
    set(token, verified) {
      known.set(token, verified)
      if (known.size > size) known.delete(known.keys().next().value!)
    },
    forgetAll: () => known.clear(),
  }
}
