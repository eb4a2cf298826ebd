/** A tunnel as those see it who end it. */
export interface OpenTunnel {
  /** The process stops: whoever understands that is told, and the tunnel ends once both sides have. */
  goAway(): void
}

/** The tunnels that are open on this process. One per process. */
export class OpenTunnels {
  readonly #open = new Set<OpenTunnel>()
  #isGoingAway = false

  get size(): number {
    return this.#open.size
  }

  add(tunnel: OpenTunnel): void {
    this.#open.add(tunnel)
    if (this.#isGoingAway) tunnel.goAway()
  }

  delete(tunnel: OpenTunnel): void {
    this.#open.delete(tunnel)
  }

  /** Ends those that are open and those that open after that: for the end of the process. */
  goAway(): void {
    this.#isGoingAway = true
    for (const tunnel of [...this.#open]) tunnel.goAway()
  }
}
