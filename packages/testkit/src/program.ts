import { spawn } from 'node:child_process'

export interface Program extends AsyncDisposable {
  pid: number
  /** What it wrote until now, to standard output and error. */
  output(): string
  /** Sends it a message over the channel that Node gives a child, and waits until it has answered with one. */
  ask(message: object): Promise<void>
  /** Sends it a signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>
  /** Resolves when it has ended, with its exit code unless a signal ended it. */
  ended: Promise<number | null>
}

export interface Surroundings {
  env?: Record<string, string>
  /** A shell script that runs first, in a mount namespace of its own: it may put other files over those of the machine. Needs root. */
  before?: string
  /** The network namespace that it runs in. */
  namespace?: string
}

/** Starts a TypeScript program as a process of its own and waits until it has written `ready`. */
export async function startProgram(file: string, args: string[], { env = {}, before, namespace }: Surroundings = {}): Promise<Program> {
  const within = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
  const node = [...within, process.execPath, file, ...args]
  const [command, ...rest] = (before === undefined ? node : ['unshare', '--mount', 'sh', '-ec', `${before}\nexec "$@"`, 'sh', ...node]) as [
    string,
    ...string[],
  ]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, ...env } })
  let text = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const ready = Promise.withResolvers<void>()
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (/^ready\b/m.test(text)) ready.resolve()
    })
  }
  child.once('error', ready.reject)
  void ended.then(() => ready.reject(new Error(`${file} ended before it was ready:\n${text}`)))
  async function end(signal: NodeJS.Signals) {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  const patience = setTimeout(() => ready.reject(new Error(`${file} was not ready within 30 s:\n${text}`)), 30_000)
  try {
    await ready.promise
  } catch (error) {
    await end('SIGKILL')
    throw error
  } finally {
    clearTimeout(patience)
  }
  return {
    pid: child.pid!,
    output: () => text,
    ended,
    end,
    async ask(message) {
      const answer = new Promise<void>((resolve, reject) => {
        child.once('message', () => resolve())
        void ended.then(() => reject(new Error(`${file} ended before it answered:\n${text}`)))
      })
      child.send(message)
      await answer
    },
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  }
}
