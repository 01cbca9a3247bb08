import { main } from "../kinds/main";
import { serve } from "./serve";

const { Rooms, Users, Addresses, worker } = serve({ kinds: [main] });

export { Addresses, Rooms, Users };
export default worker;
