/**
 * How many times the limit on a time may be exceeded: a machine that does other things meanwhile is given more time, and the number that
 * counts is printed. `GATEWRIGHT_STRICT_TIMES=1` allows nothing.
 */
export function slowness(): number {
  return process.env['GATEWRIGHT_STRICT_TIMES'] === '1' ? 1 : 3
}
