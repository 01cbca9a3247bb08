import { main } from "../kinds/main";
import { serve } from "./serve";

const { Rooms, worker } = serve({ kinds: [main] });

export { Rooms };
export default worker;
