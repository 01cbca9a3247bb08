import type { HttpRejection } from "./http-rejection";

/** Carries a rejection out of code that can only return its result, such as the fetch of a cache. */
export class RejectionError extends Error {
  constructor(readonly rejection: HttpRejection) {
    super(rejection.body.message);
  }
}
