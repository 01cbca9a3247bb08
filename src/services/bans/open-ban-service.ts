import { BanService, type BlockNewGuests, type UsersNamespace } from "./ban-service";

/** `undefined` in a worker without the database or the users' objects. Each room then keeps its own bans only. */
export function openBanService(
  { DB, USERS }: { DB?: D1Database; USERS?: UsersNamespace | undefined },
  blockNewGuests: BlockNewGuests,
): BanService | undefined {
  return DB && USERS && new BanService(DB, USERS, blockNewGuests);
}
