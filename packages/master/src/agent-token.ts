import { createHash, randomBytes } from 'node:crypto'

const prefix = 'nxmesh_agent_'
const longest = 1000
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A new token for an agent, and the hash that the database keeps. The token carries the CA's fingerprint, so an agent can pin it. */
export function newAgentToken(agentId: string, caFingerprint: string): { token: string; hash: string } {
  const secret = randomBytes(32).toString('base64url')
  const body = JSON.stringify({ agent_id: agentId, secret, ca: caFingerprint })
  return { token: `${prefix}${Buffer.from(body).toString('base64url')}`, hash: hashOf(secret) }
}

/** The agent that a token names and the hash of its secret, or undefined when the text is no token of ours. */
export function parseAgentToken(text: string): { agentId: string; hash: string } | undefined {
  if (text.length > longest || !text.startsWith(prefix)) return undefined
  const body = readJson(Buffer.from(text.slice(prefix.length), 'base64url').toString('utf8'))
  if (typeof body !== 'object' || body === null) return undefined
  const { agent_id: agentId, secret } = body as Record<string, unknown>
  if (typeof agentId !== 'string' || !uuid.test(agentId) || typeof secret !== 'string' || secret === '') return undefined
  return { agentId, hash: hashOf(secret) }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
