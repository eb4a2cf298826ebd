/** A parameter takes one or more characters up to a slash, a star any run of any characters; without a name it captures nothing. */
export type GlobToken =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string | undefined }
  | { readonly kind: 'star'; readonly name: string | undefined }

/** Receives by name the text that each named token took; `undefined` when nobody asks. */
export type Captures = Record<string, string> | undefined

/**
 * A pattern matched against a whole path by hand: a backtracking regular expression with several stars can be driven into hours by
 * a long path, this takes at most path length times pattern length. Where a path fits in several ways the earlier star takes the
 * most, as with the regular expression.
 */
export class Glob {
  /** What stands before, between and after the stars. */
  readonly #blocks: readonly Block[]
  /** Star n stands between block n and block n + 1. */
  readonly #starNames: readonly (string | undefined)[]

  /** A parameter must have a slash or an end of the pattern on either side. */
  constructor(tokens: readonly GlobToken[]) {
    const blocks: BlockToken[][] = [[]]
    const starNames: (string | undefined)[] = []
    for (const token of lastOfEachName(tokens)) {
      if (token.kind === 'star') {
        starNames.push(token.name)
        blocks.push([])
      } else blocks.at(-1)!.push(token)
    }
    this.#blocks = blocks.map((block) => new Block(block))
    this.#starNames = starNames
  }

  matches(path: string): boolean {
    return this.#run(path, undefined)
  }

  /** Fills `captures`; only for a path that matches. A name that stands twice keeps what its last token took. */
  capture(path: string, captures: Record<string, string>): void {
    this.#run(path, captures)
  }

  #run(path: string, captures: Captures): boolean {
    const head = this.#blocks[0]!.matchForward(path, captures)
    const last = this.#blocks.length - 1
    if (last === 0) return head === path.length
    if (head === -1) return false
    // From the right, each block as far right as it goes: that leaves the earlier stars the most.
    let limit = path.length
    for (let index = last; index > 0; index--) {
      const block = this.#blocks[index]!
      const end = index === last ? limit : block.lastEnd(path, limit)
      const start = end === -1 ? -1 : block.matchBackward(path, end, captures)
      if (start < head) return false
      if (captures !== undefined) this.#captureStar(index, path.slice(end, limit), captures)
      limit = start
    }
    if (captures !== undefined) this.#captureStar(0, path.slice(head, limit), captures)
    return true
  }

  #captureStar(index: number, value: string, captures: Record<string, string>): void {
    const name = this.#starNames[index]
    if (name !== undefined) captures[name] = value
  }
}

/** Takes the name from all but the last token of that name, so that the order of capturing does not show. */
function lastOfEachName(tokens: readonly GlobToken[]): GlobToken[] {
  const lastIndex = new Map(tokens.map((token, index) => ['name' in token ? token.name : undefined, index]))
  return tokens.map((token, index) =>
    token.kind === 'literal' || lastIndex.get(token.name) === index ? token : { ...token, name: undefined },
  )
}

type BlockToken = Exclude<GlobToken, { kind: 'star' }>

/** Literals and parameters without a star: from a given end of it there is one way to match. */
class Block {
  readonly #tokens: readonly BlockToken[]

  constructor(tokens: readonly BlockToken[]) {
    this.#tokens = tokens
  }

  /** Where the block ends when it starts with the path, or −1. */
  matchForward(path: string, captures: Captures): number {
    let at = 0
    for (const token of this.#tokens) {
      if (token.kind === 'literal') {
        if (!path.startsWith(token.text, at)) return -1
        at += token.text.length
      } else {
        const slash = path.indexOf('/', at)
        const end = slash === -1 ? path.length : slash
        if (end === at) return -1
        if (captures !== undefined && token.name !== undefined) captures[token.name] = path.slice(at, end)
        at = end
      }
    }
    return at
  }

  /** Where the block starts when it ends at `end`, or −1. */
  matchBackward(path: string, end: number, captures: Captures): number {
    let at = end
    for (let index = this.#tokens.length - 1; index >= 0; index--) {
      const token = this.#tokens[index]!
      if (token.kind === 'literal') {
        at -= token.text.length
        if (at < 0 || !path.startsWith(token.text, at)) return -1
      } else {
        const start = at === 0 ? 0 : path.lastIndexOf('/', at - 1) + 1
        if (start === at) return -1
        if (captures !== undefined && token.name !== undefined) captures[token.name] = path.slice(start, at)
        at = start
      }
    }
    return at
  }

  /** The largest end up to `limit` at which the block matches, or −1. */
  lastEnd(path: string, limit: number): number {
    const only = this.#tokens[0]
    if (only === undefined) return limit
    if (this.#tokens.length === 1 && only.kind === 'literal') {
      const start = limit < only.text.length ? -1 : path.lastIndexOf(only.text, limit - only.text.length)
      return start === -1 ? -1 : start + only.text.length
    }
    for (let end = limit; end >= 0; end--) if (this.matchBackward(path, end, undefined) !== -1) return end
    return -1
  }
}
