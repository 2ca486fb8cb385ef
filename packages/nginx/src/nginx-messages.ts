/** One message of nginx: how grave it is, what it says, and the file and line that it names. */
export interface NginxMessage {
  level: 'emerg' | 'alert' | 'crit' | 'error' | 'warn'
  text: string
  file?: string
  line?: number
}

/** A complaint about the error log path that nginx was built with: it goes on without it. */
export const compiled = /^could not open error log file: /

const printed = /^nginx: \[(\w+)\] (.*)$/s
const logged = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: (?:\*\d+ )?(.*)$/s
const levels: ReadonlySet<string> = new Set(['emerg', 'alert', 'crit', 'error', 'warn'])

/** Reads the messages in what nginx printed or logged, in order; anything else is skipped. A quoted line break continues the message. */
export function readMessages(output: string): NginxMessage[] {
  const messages: NginxMessage[] = []
  let continues = false
  for (const line of output.split('\n')) {
    const parts = printed.exec(line) ?? logged.exec(line)
    if (parts) {
      continues = levels.has(parts[1]!)
      if (continues) messages.push({ level: parts[1] as NginxMessage['level'], text: parts[2]! })
    } else if (line.startsWith('nginx: ')) continues = false
    else if (continues) messages.at(-1)!.text += `\n${line}`
  }
  return messages.map(withPlace)
}

function withPlace(message: NginxMessage): NginxMessage {
  const text = message.text.replace(/\n+$/, '')
  const place = /^(.*) in (\/[^\n]*?|[\w.-]+):(\d+)$/s.exec(text)
  return place ? { level: message.level, text: place[1]!, file: place[2]!, line: Number(place[3]) } : { level: message.level, text }
}
