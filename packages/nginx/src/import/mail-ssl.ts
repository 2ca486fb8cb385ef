import type { SourceDirective } from './source.ts'

/** A mail server as every release of nginx takes it: `ssl on`, here or around it, is said in its `listen`. Source: nginx changes, 1.25.1. */
export function withSslInListen(server: SourceDirective, mail: readonly SourceDirective[]): SourceDirective {
  const block = server.block ?? []
  const on = (saidIn(block) ?? saidIn(mail)) === 'on'
  const spelled = block
    .filter(({ name }) => name !== 'ssl')
    .map((child) =>
      on && child.name === 'listen' && !child.args.includes('ssl')
        ? { ...child, args: [...child.args, 'ssl'], head: `${child.head} ssl` }
        : child,
    )
  return { ...server, block: spelled }
}

function saidIn(directives: readonly SourceDirective[]): string | undefined {
  return directives.find(({ name }) => name === 'ssl')?.args[0]
}
