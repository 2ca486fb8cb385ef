/** An event as it is sent: an envelope of docs/events.md, or a test. */
export interface SentEvent {
  id: string
  type: string
  timestamp: string
  workspace_id: string
  data: Record<string, unknown>
}

export interface Names {
  workspace: string
  agent: string | undefined
}

export interface Words {
  subject: string
  text: string
}

const longest = 200

/** An event in words for people. */
export function wordsOf({ type, timestamp, data }: SentEvent, names: Names): Words {
  const subject = line(headline(type, data, names)).slice(0, longest)
  const about = [
    ['event', type],
    ['workspace', names.workspace],
    ...(names.agent === undefined ? [] : [['agent', names.agent]]),
    ['time', timestamp],
  ]
  const details = Object.entries(data)
    .filter(([, value]) => value !== '' && value !== null)
    .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)])
  return { subject, text: [subject, '', ...[...about, ...details].map(([key, value]) => `${key}: ${line(String(value))}`)].join('\n') }
}

function headline(type: string, data: Record<string, unknown>, { workspace, agent }: Names): string {
  const text = (key: string) => (typeof data[key] === 'string' ? data[key] : '')
  const whose = agent ?? text('name')
  switch (type) {
    case 'health.alert':
      return `[${text('severity')}] ${whose}: ${text('message')}`
    case 'alert.acknowledged':
      return `[acknowledged by ${text('acknowledged_by')}] ${whose}: ${text('message')}`
    case 'alert.resolved':
      return `[resolved] ${whose}: ${text('message')}`
    default:
      return [type, whose, text('message') || text('error') || text('reason'), `(${workspace})`].filter((part) => part !== '').join(' ')
  }
}

// No text of somebody else begins a line, or a header, of its own.
function line(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ').trim()
}

/** Text as Slack takes it: nothing in it is a link or calls anybody. Source: Slack, "Formatting text for app surfaces". */
export function escapedForSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
