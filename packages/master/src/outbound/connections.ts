import { Agent, type Agent as PlainAgent } from 'node:http'
import { Agent as EncryptedAgent } from 'node:https'

/** Connections to servers that are asked often, kept open for the next request. They belong to whoever has opened them, as what they may reach does. */
export interface Connections {
  plain: PlainAgent
  encrypted: EncryptedAgent
  close(): void
}

const settings = { keepAlive: true, timeout: 15_000 }

export function openConnections(): Connections {
  const [plain, encrypted] = [new Agent(settings), new EncryptedAgent(settings)]
  return {
    plain,
    encrypted,
    close() {
      plain.destroy()
      encrypted.destroy()
    },
  }
}
