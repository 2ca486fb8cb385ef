/** A kind of message that nginx prints: what is likely behind it and what to do. `$1` in the texts is what the pattern's group matched. */
export interface MessagePattern {
  code: string
  pattern: RegExp
  cause: string
  fix: string
}
