/** The variable that holds one dollar sign; nginx has no escape for it where it expands variables. */
export const dollarVariable = 'nxmesh_dollar'

/** Statement that defines the dollar variable; it belongs to the http context. */
export const dollarDefinition = `geo $${dollarVariable} { default "$"; }`

/** nginx refuses a token whose written form fills its 4,096 byte buffer. */
export const maxTokenBytes = 4090

const bare = /^[A-Za-z0-9_./:@%+,=~^*?&|!<>()[\]$-]+$/
const special = /[\\"\n\r\t]/g

/**
 * Writes one argument so that nginx's tokenizer gives back exactly this text: bare where that is safe, else in double quotes.
 * Says nothing about variables: see `template` and `literal`. Source: nginx, ngx_conf_read_token.
 */
export function quote(argument: string): string {
  if (bare.test(argument)) return argument
  return `"${argument.replace(special, (character, at: number) => escaped(character, argument[at + 1]))}"`
}

/** Writes text that may hold `$variables` for a directive that expands them; a `$` that begins no variable name stays a dollar sign. */
export function template(text: string): string {
  return quote(text.includes('$') ? text.replace(loneDollar, `\${${dollarVariable}}`) : text)
}

/** Writes text for a directive that expands variables so that none is expanded: each `$` arrives as a dollar sign. */
export function literal(text: string): string {
  return quote(text.includes('$') ? text.replaceAll('$', () => `\${${dollarVariable}}`) : text)
}

const loneDollar = /\$(?![A-Za-z0-9_]|\{[A-Za-z0-9_]+\})/g

function escaped(character: string, next: string | undefined): string {
  switch (character) {
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
    case '"':
      return '\\"'
    default:
      // A backslash is only an escape before these; anywhere else it stays, which keeps regular expressions readable.
      return next === undefined || '\\"\'trn\n\r\t'.includes(next) ? '\\\\' : '\\'
  }
}
