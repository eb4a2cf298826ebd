declare const held: unique symbol

/** A private, typed place in every request context; made once per plugin module. */
export interface RequestSlot<T> {
  readonly index: number
  readonly name: string
  readonly [held]?: T
}

let made = 0

/** Makes a slot. `name` is for people reading a dump; slots never collide. */
export function requestSlot<T>(name: string): RequestSlot<T> {
  return { index: made++, name }
}
