export const version = "bcc8748e";

export interface PresentMember {
  name: string;
  role: string;
  /** Nobody has vouched for who this is. */
  guest?: true;
  status?: string;
  data?: unknown;
  since: number;
}
export interface PresenceState {
  /** The first 200; the others are counted. */
  members: Readonly<Record<string, PresentMember>>;
  count: number;
}
export type PresenceEvent = { seq: number; at: number } & (
  | { n: "joined"; d: { user: string; name: string; role: string; guest?: true | undefined } }
  | { n: "left"; d: { user: string } }
  | { n: "changed"; d: { user: string; status?: string | undefined; data?: unknown } }
  | { n: "counted"; d: { count: number } }
);

export function initial(): PresenceState {
  return { members: {}, count: 0 };
}

export function reduce(state: PresenceState, event: PresenceEvent): PresenceState {
  switch (event.n) {
    case "joined": {
      const { user, name, role, guest } = event.d;
      const known = member(state, user);
      const members = copy(state.members);
      members[user] = { ...known, name, role, since: known?.since ?? event.at, ...(guest ? { guest } : {}) };
      return { members, count: known ? state.count : state.count + 1 };
    }
    case "left": {
      const members = copy(state.members);
      const known = Object.hasOwn(members, event.d.user);
      delete members[event.d.user];
      return { members, count: known ? state.count - 1 : state.count };
    }
    case "changed": {
      const { user, status, data } = event.d;
      const known = member(state, user);
      if (!known) return state;
      const members = copy(state.members);
      members[user] = changed(known, status, data);
      return { ...state, members };
    }
    case "counted":
      return { ...state, count: event.d.count };
    default:
      return state;
  }
}

function changed(known: PresentMember, status: string | undefined, data: unknown): PresentMember {
  const { status: oldStatus, data: oldData, ...rest } = known;
  const newStatus = status ?? oldStatus;
  const newData = data === undefined ? oldData : data;
  return {
    ...rest,
    ...(newStatus ? { status: newStatus } : {}),
    ...(newData === undefined || newData === null ? {} : { data: newData }),
  };
}

function member(state: PresenceState, user: string): PresentMember | undefined {
  return Object.hasOwn(state.members, user) ? state.members[user] : undefined;
}

/** Keys are what people are called, so the map has no prototype to be mistaken for an entry. */
function copy(members: PresenceState["members"]): Record<string, PresentMember> {
  return Object.assign(Object.create(null), members);
}
