/** Live streams that are open in this process, of all boards. */
export const liveStreams = { open: 0 };
