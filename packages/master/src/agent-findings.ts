import type { Finding } from '@nxmesh/model/agent'
import { explainWords } from '@nxmesh/nginx/explain-output'
import { withCause } from '@nxmesh/nginx/message-cause'
import type { AgentRow } from './db/schema.ts'

/** What an agent told of its last config, with the causes of nginx's own words. An agent of another make tells no more than these words. */
export function findingsOf({ findings, config_error }: Pick<AgentRow, 'findings' | 'config_error'>): Finding[] {
  const told = JSON.parse(findings) as Finding[]
  return told.length > 0 ? told.map(withCause) : explainWords(config_error ?? '')
}
