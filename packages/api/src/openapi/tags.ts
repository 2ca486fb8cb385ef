const descriptions: Record<string, string> = {
  auth: 'Signing in and out, and who you are.',
  organization: 'Organizations hold workspaces and the people who belong to them.',
  user: 'Users: one account for each person, who may belong to several organizations.',
  'api-token': 'API tokens: they act as the user who made them, in one organization or workspace and up to a role.',
  'organization-member': 'Who belongs to an organization, and their roles.',
  'workspace-member': 'Who has a role of their own in a workspace.',
  invitation: 'Invitations to an organization, for people with or without an account.',
  workspace: 'Workspaces hold agents and what these serve; each has a config version of its own.',
  settings: 'Settings that every agent of a workspace gets.',
  agent: 'Agents: one managed nginx each, and the program beside it.',
  'virtual-host': 'Virtual hosts: names, ports and locations that agents serve.',
  metrics: 'What agents served: requests, status codes, bytes, connections and response times.',
  'access-log': 'The requests that agents logged.',
  'error-log': 'The lines of the error logs of agents.',
  revision: 'Versions of a workspace: what each changed, and what was there.',
  'audit-log': 'Who did what, from where, and how it was before and after.',
  'notification-channel': 'Channels that tell of events: webhooks, Slack and e-mail.',
  'dns-provider': 'DNS providers: where records go that prove the control of a name, for certificates.',
  'notification-delivery': 'Events on their way through a channel, and what came of each.',
  finding: 'Findings: what is wrong, or could be better, in what a workspace serves.',
  upstream: 'Upstreams: groups of servers that locations pass requests to.',
}

/** The tag of an operation: its resource, which its id begins with. */
export function tagOf(operationId: string): string {
  return operationId.slice(0, operationId.indexOf('.'))
}

/** The tags of operations in order of appearance, each with what it holds. */
export function tagsOf(operationIds: string[]): { name: string; description: string }[] {
  const names = [...new Set(operationIds.map(tagOf))]
  return names.map((name) => ({ name, description: descriptions[name] ?? `Operations on ${name.replaceAll('-', ' ')}s.` }))
}
