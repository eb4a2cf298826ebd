/** Flag and length before each message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5
const IS_COMPRESSED = 1
/** gRPC-Web: the frame holds trailers. */
const IS_TRAILERS = 0x80

/** One message as gRPC sends it, uncompressed. */
export function messageFrame(message: Uint8Array): Buffer {
  return frame(0, message)
}

/** The trailers as gRPC-Web sends them behind the messages: `name:value` lines in a frame of their own. `flat` is `[name, value, …]`. */
export function trailersFrame(flat: readonly string[]): Buffer {
  let text = ''
  for (let i = 0; i < flat.length; i += 2) text += `${flat[i]!.toLowerCase()}:${flat[i + 1]}\r\n`
  return frame(IS_TRAILERS, Buffer.from(text, 'latin1'))
}

/** The first message of a body; `undefined` when it is not there as a whole. Throws when it is compressed. */
export function firstMessage(body: Buffer): Buffer | undefined {
  if (body.length < PREFIX_BYTES) return undefined
  if ((body[0]! & IS_COMPRESSED) !== 0) throw new Error('the message is compressed')
  const end = PREFIX_BYTES + body.readUInt32BE(1)
  return body.length < end ? undefined : body.subarray(PREFIX_BYTES, end)
}

function frame(flag: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + content.length)
  bytes[0] = flag
  bytes.writeUInt32BE(content.length, 1)
  bytes.set(content, PREFIX_BYTES)
  return bytes
}
