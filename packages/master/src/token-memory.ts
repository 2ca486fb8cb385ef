import type { Claims } from './tokens.ts'

/** Tokens whose signature was found good. What they allow is looked up with each request all the same. */
export interface TokenMemory {
  get(token: string, now: number): Claims | undefined
  /** Remembers a token until `ends`, in milliseconds since the epoch. */
  set(token: string, claims: Claims, ends: number): void
  forgetAll(): void
}

/** Opens a memory of at most `size` tokens; the oldest makes room. Proving a signature costs more than all else that a read does. */
export function openTokenMemory(size = 5000): TokenMemory {
  const known = new Map<string, { claims: Claims; ends: number }>()
  return {
    get(token, now) {
      const found = known.get(token)
      if (!found || now < found.ends) return found?.claims
      known.delete(token)
      return undefined
    },
    set(token, claims, ends) {
      known.set(token, { claims, ends })
      if (known.size > size) known.delete(known.keys().next().value!)
    },
    forgetAll: () => known.clear(),
  }
}
