import { type Allowed, refusal } from '../directive-rules.ts'

/** Why a directive cannot be taken over, or undefined where it can. An `include` is still there only where a file could not be read. */
export function refusedBecause(name: string, args: readonly string[], allowed: Allowed): string | undefined {
  if (name === 'load_module') return 'no agent loads this module'
  return name === 'include' ? 'a file that it stands for cannot be read' : refusal(name, args, allowed)
}
