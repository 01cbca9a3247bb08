/** The open live streams of all boards in this process. */
export const liveStreams = { open: 0 };
