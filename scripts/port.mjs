import { createServer } from "node:net";

/**
 * Whether somebody listens on a port already. Both addresses are tried: a server of somebody else's may listen on every
 * address, and on some systems that does not keep ours from starting on one.
 * @param {number} port
 */
export async function isBusy(port) {
  return !((await canListen(port, "127.0.0.1")) && (await canListen(port, "0.0.0.0")));
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<boolean>}
 */
function canListen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    // Any other error (a port below 1024, say) is the server's own to report.
    server.once("error", (error) => resolve(!("code" in error && error.code === "EADDRINUSE")));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
