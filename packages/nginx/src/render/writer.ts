import type { Finding } from '@nxmesh/model/agent'

/** The object and field that a rendered line comes from. */
export interface LineSource {
  kind: NonNullable<Finding['kind']>
  id?: string
  name?: string
  field?: string
}

/** Collects the lines of one file together with where each comes from. */
export class ConfigWriter {
  readonly #lines: string[] = []
  readonly #starts: number[] = [1]
  readonly #sources: (LineSource | undefined)[] = [undefined]

  /** The lines written from here on come from this source. */
  from(source: LineSource | undefined): void {
    const last = this.#starts.length - 1
    const line = this.#lines.length + 1
    if (this.#starts[last] === line) this.#sources[last] = source
    else {
      this.#starts.push(line)
      this.#sources.push(source)
    }
  }

  /** Writes one line. */
  line(text: string): void {
    this.#lines.push(text)
  }

  /** Writes text that may hold line breaks of its own. */
  lines(text: string): void {
    if (text.includes('\n')) this.#lines.push(...text.split('\n'))
    else this.#lines.push(text)
  }

  get text(): string {
    return `${this.#lines.join('\n')}\n`
  }

  /** Where a line, counted from 1, comes from. */
  sourceOf(line: number): LineSource | undefined {
    if (line > this.#lines.length) return undefined
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle]! <= line) low = middle
      else high = middle - 1
    }
    return this.#sources[low]
  }
}
