import type { ConfigKind } from '@nxmesh/model/revision'
import type { Change, ConfigChange } from './change.ts'

type Named = { id: string; name: string }
type Kind = Exclude<ConfigKind, 'settings'>
type Done = Pick<Change<unknown>, 'changes' | 'summary'>

const words: Record<Kind, string> = {
  virtual_host: 'virtual host',
  stream_host: 'stream host',
  upstream: 'upstream',
  certificate: 'certificate',
}

export function created(kind: Kind, after: Named): Done {
  return done({ kind, ...who(after), action: 'created', before: null, after })
}

export function changed(kind: Kind, before: Named, after: Named): Done {
  return done({ kind, ...who(after), action: 'changed', before, after })
}

export function deleted(kind: Kind, before: Named): Done {
  return done({ kind, ...who(before), action: 'deleted', before, after: null })
}

function who({ id, name }: Named): Named {
  return { id, name }
}

function done(change: ConfigChange & { kind: Kind }): Done {
  return { changes: [change], summary: `${change.action} ${words[change.kind]} "${change.name}"` }
}
