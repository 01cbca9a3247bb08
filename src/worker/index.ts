import { main } from "../kinds/main";
import { serve } from "./serve";

const { Rooms, Users, Addresses, Boards, worker } = serve({ kinds: [main] });

export { Addresses, Boards, Rooms, Users };
export default worker;
