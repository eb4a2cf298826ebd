/** A place in the tree. Only the tree changes it. */
export interface RadixNode<V> {
  /** What this node adds to the key of its parent. */
  label: string
  parent: RadixNode<V> | undefined
  children: Map<number, RadixNode<V>> | undefined
  value: V | undefined
}

function createNode<V>(label: string, parent: RadixNode<V> | undefined): RadixNode<V> {
  return { label, parent, children: undefined, value: undefined }
}

/** The nearest node with a value above this one: the next shorter key that is a prefix of the same text. */
export function nextShorter<V>(node: RadixNode<V>): RadixNode<V> | undefined {
  let above = node.parent
  while (above !== undefined && above.value === undefined) above = above.parent
  return above
}

/**
 * Values by key, found by the longest key that a text starts with; with `fromEnd`, by the longest that it ends with. Costs follow the
 * length of the key, not the number of keys. Looking up allocates nothing.
 */
export class RadixTree<V> {
  readonly #root: RadixNode<V> = createNode('', undefined)
  readonly #fromEnd: boolean

  constructor(fromEnd: boolean) {
    this.#fromEnd = fromEnd
  }

  /** Nothing but a bare root is left. */
  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children === undefined
  }

  /** The node of the longest key that the text starts (or ends) with; go on with `nextShorter`. */
  longest(text: string): RadixNode<V> | undefined {
    let node = this.#root
    let best = node.value === undefined ? undefined : node
    let at = 0
    while (at < text.length) {
      const child = node.children?.get(this.#codeAt(text, at))
      if (child === undefined || !this.#continues(text, at, child.label)) break
      at += child.label.length
      node = child
      if (node.value !== undefined) best = node
    }
    return best
  }

  get(key: string): V | undefined {
    return this.#find(key)?.value
  }

  /** Adds or replaces. */
  set(key: string, value: V): void {
    const oriented = this.#orient(key)
    let node = this.#root
    let at = 0
    while (at < oriented.length) {
      const child = node.children?.get(oriented.charCodeAt(at))
      if (child === undefined) {
        node = this.#attach(node, createNode(oriented.slice(at), node))
        break
      }
      const shared = sharedLength(child.label, oriented, at)
      node = shared === child.label.length ? child : this.#split(child, shared)
      at += shared
    }
    node.value = value
  }

  delete(key: string): boolean {
    const node = this.#find(key)
    if (node?.value === undefined) return false
    node.value = undefined
    this.#prune(node)
    return true
  }

  #find(key: string): RadixNode<V> | undefined {
    let node: RadixNode<V> | undefined = this.#root
    let at = 0
    while (at < key.length) {
      node = node.children?.get(this.#codeAt(key, at))
      if (node === undefined || !this.#continues(key, at, node.label)) return undefined
      at += node.label.length
    }
    return node
  }

  #codeAt(text: string, at: number): number {
    return text.charCodeAt(this.#fromEnd ? text.length - 1 - at : at)
  }

  /** The first character is known to be equal: it chose the child. */
  #continues(text: string, at: number, label: string): boolean {
    if (text.length - at < label.length) return false
    for (let index = 1; index < label.length; index++) {
      if (label.charCodeAt(index) !== this.#codeAt(text, at + index)) return false
    }
    return true
  }

  #orient(key: string): string {
    if (!this.#fromEnd) return key
    let reversed = ''
    for (let at = key.length - 1; at >= 0; at--) reversed += key[at]
    return reversed
  }

  #attach(parent: RadixNode<V>, child: RadixNode<V>): RadixNode<V> {
    parent.children ??= new Map()
    parent.children.set(child.label.charCodeAt(0), child)
    child.parent = parent
    return child
  }

  /** Puts a node between `child` and its parent that holds the first `length` characters of the label. */
  #split(child: RadixNode<V>, length: number): RadixNode<V> {
    const middle = this.#attach(child.parent!, createNode(child.label.slice(0, length), child.parent))
    child.label = child.label.slice(length)
    this.#attach(middle, child)
    return middle
  }

  /** Removes what a value left behind: an empty leaf, then a node that no longer branches. */
  #prune(node: RadixNode<V>): void {
    const { parent } = node
    if (parent === undefined || node.value !== undefined) return
    if (node.children === undefined) {
      const siblings = parent.children!
      siblings.delete(node.label.charCodeAt(0))
      if (siblings.size === 0) parent.children = undefined
      this.#prune(parent)
    } else if (node.children.size === 1) {
      const [child] = node.children.values()
      child!.label = node.label + child!.label
      this.#attach(parent, child!)
    }
  }
}

function sharedLength(label: string, key: string, at: number): number {
  let length = 1
  while (length < label.length && label.charCodeAt(length) === key.charCodeAt(at + length)) length++
  return length
}
