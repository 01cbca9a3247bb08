/** Finds words that some people do not want to read. */
export interface WordFilter {
  /** The spans of such words, by UTF-16 index, `to` excluded. They are in order and do not overlap. */
  find(text: string): readonly { from: number; to: number }[];
}
