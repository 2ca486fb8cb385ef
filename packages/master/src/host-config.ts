import { z } from 'zod'
import { askAgent } from './commands.ts'
import type { Ctx } from './ctx.ts'

/** The configuration that a host's own nginx has: its files by path, and which of them is the main one. */
export interface HostConfig {
  main: string
  files: Record<string, string>
  /** What the agent could not read, and why. */
  left_out: string[]
}

const answer = z.object({
  main: z.string().min(1),
  files: z.string().transform(parsed).pipe(z.record(z.string(), z.string())),
  left_out: z.string().transform(parsed).pipe(z.array(z.string())),
})

/** Has an agent send the configuration of its host's own nginx, or says why it does not. Throws like `askAgent`. */
export async function readHostConfig(
  ctx: Ctx,
  agentId: string,
): Promise<{ ok: true; config: HostConfig } | { ok: false; message: string }> {
  const { success, message, data } = await askAgent(ctx, agentId, { kind: 'read_host_config' })
  if (!success) return { ok: false, message }
  const read = answer.safeParse(data)
  return read.success ? { ok: true, config: read.data } : { ok: false, message: 'the agent did not send its configuration' }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
