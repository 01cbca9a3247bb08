/** Reports a bug in the app's code, such as a reducer that threw, and lets the room go on. */
export function logError(error: Error): void {
  console.error(error);
}
