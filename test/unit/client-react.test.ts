// biome-ignore-all lint/correctness/noComponentHookFactories: each test has components of its own
// @vitest-environment happy-dom
/// <reference lib="dom" />
import {
  act,
  createElement,
  lazy,
  type ReactNode,
  StrictMode,
  Suspense,
  startTransition,
  useEffect,
  useState,
} from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  hooksOf,
  RoomProvider,
  type RoomProviderProps,
  useDo,
  useFeature,
  useMembers,
  usePending,
  useRoom,
  useStatus,
} from "../../src/client/react";
import type { ActionError, BuiltInKinds, RoomClient } from "../../src/client/room-client";
import type { WireEvent } from "../../src/protocol/messages";
import { fakeSockets } from "../support/fake-socket";

type Main = BuiltInKinds["main"];
const roots: Root[] = [];

beforeAll(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});
afterEach(async () => {
  await act(async () => {
    for (const root of roots.splice(0)) root.unmount();
  });
});

/** A page with a room, whose server is the test. */
async function open(children: ReactNode, { strict = false, connects = true } = {}) {
  const fake = fakeSockets();
  const element = document.createElement("div");
  const root = createRoot(element);
  roots.push(root);
  const props: RoomProviderProps<Main> = {
    host: "http://127.0.0.1:1",
    kind: "main",
    room: "hall",
    token: "t",
    WebSocket: fake.WebSocket,
  };
  const render = (more: Partial<RoomProviderProps<Main>> = {}) =>
    act(async () => {
      const tree = createElement(
        RoomProvider<Main>,
        { ...props, ...more } as RoomProviderProps<Main>,
        children,
      );
      root.render(strict ? createElement(StrictMode, null, tree) : tree);
    });
  await render();
  const socket = connects ? await fake.socket(0) : undefined;
  const hear = (...events: WireEvent[]) => act(async () => socket?.frame(...events));
  if (socket) await act(async () => socket.welcome());
  return { ...fake, element, render, hear, first: socket as NonNullable<typeof socket>, root };
}

const joinedEvent = (user: string, name = user): WireEvent => ({
  f: "presence",
  n: "joined",
  d: { user, name, role: "player" },
});
const saidEvent = (text: string): WireEvent => ({
  f: "chat",
  n: "said",
  d: { name: "Bob", text },
  by: "bob",
});

describe("useFeature", () => {
  it("a component that reads one member renders once for a hundred unrelated events", async () => {
    let renders = 0;
    function Ann() {
      renders++;
      return useMembers(({ members }) => members.ann?.name) ?? "nobody";
    }
    const { element, hear } = await open(createElement(Ann));
    await hear(joinedEvent("ann", "Ann"));
    expect(element.textContent).toBe("Ann");
    renders = 0;
    for (let n = 0; n < 50; n++) await hear(saidEvent(String(n)), joinedEvent(`user-${n}`));
    expect(renders).toBe(0);
    await hear({ f: "presence", n: "left", d: { user: "ann" } });
    expect(renders).toBe(1);
    expect(element.textContent).toBe("nobody");
  });

  it("a selection that is created at each call is compared by the given function", async () => {
    let renders = 0;
    const sameList = (one: string[], other: string[]) => one.join() === other.join();
    function Names() {
      renders++;
      // A new function at every render, as people write it.
      return useFeature("presence", ({ members }) => Object.keys(members).sort(), sameList).join(" ");
    }
    const { element, hear } = await open(createElement(Names));
    await hear(joinedEvent("bob"), joinedEvent("ann"));
    renders = 0;
    await hear(saidEvent("Hello"), { f: "presence", n: "changed", d: { user: "ann", status: "busy" } });
    expect(renders).toBe(0);
    await hear(joinedEvent("cleo"));
    expect(element.textContent).toBe("ann bob cleo");
    expect(renders).toBe(1);
  });

  it("a component never shows two states at once", async () => {
    const pairs: string[] = [];
    const Count = () => String(useFeature("chat", ({ messages }) => messages.length));
    function Both() {
      const room = useRoom<Main>();
      const count = useFeature("chat", ({ messages }) => messages.length);
      pairs.push(`${count}/${room.state.chat.messages.length}`);
      return createElement("p", null, createElement(Count), "/", createElement(Count));
    }
    const { element, hear } = await open(createElement(Both), { strict: true });
    for (let n = 1; n <= 5; n++) {
      await hear(saidEvent("Hello"));
      expect(element.textContent).toBe(`${n}/${n}`);
    }
    for (const pair of pairs) {
      const [one, other] = pair.split("/");
      expect(one).toBe(other);
    }
  });

  it("a selector may change with the page", async () => {
    function Chooser() {
      const [user, setUser] = useState("ann");
      const name = useMembers(({ members }) => members[user]?.name ?? "nobody");
      return createElement("button", { type: "button", onClick: () => setUser("bob") }, name);
    }
    const { element, hear } = await open(createElement(Chooser));
    await hear(joinedEvent("ann", "Ann"), joinedEvent("bob", "Bob"));
    await act(async () => element.querySelector("button")?.click());
    expect(element.textContent).toBe("Bob");
  });
});

describe("useDo", () => {
  it("the hook says that an action is in flight, and why it was not done", async () => {
    function Say() {
      const { do: say, pending, error } = useDo("chat", "say");
      const shown = `${pending ? "pending" : "idle"} ${(error as ActionError | undefined)?.code ?? "fine"} ${usePending().length}`;
      return createElement(
        "button",
        { type: "button", onClick: () => void say({ text: "Hello" }).catch(() => {}) },
        shown,
      );
    }
    const { element, first, hear } = await open(createElement(Say));
    const click = () => act(async () => element.querySelector("button")?.click());
    expect(element.textContent).toBe("idle fine 0");
    await click();
    expect(element.textContent).toBe("pending fine 1");
    await hear({
      f: "chat",
      n: "said",
      d: { name: "Ann", text: "Hello" },
      by: "ann",
      op: first.asked[0]?.id ?? "",
    });
    expect(element.textContent).toBe("idle fine 0");
    await click();
    await act(async () =>
      first.hear({ t: "nack", id: first.asked[1]?.id ?? "", code: "muted", message: "You are muted." }),
    );
    expect(element.textContent).toBe("idle muted 0");
    await click();
    expect(element.textContent).toBe("pending fine 1");
  });

  it("the hook returns the same function at every render", async () => {
    const seen = new Set<unknown>();
    function Say() {
      seen.add(useDo("chat", "say").do);
      return useFeature("chat", ({ messages }) => messages.length);
    }
    const { hear } = await open(createElement(Say));
    await hear(saidEvent("One"));
    await hear(saidEvent("Two"));
    expect(seen.size).toBe(1);
  });
});

describe("RoomProvider", () => {
  it("the provider has one connection under StrictMode, and none after it is unmounted", async () => {
    const Status = () => useStatus().is;
    const { element, sockets, root } = await open(createElement(Status), { strict: true });
    expect(element.textContent).toBe("live");
    expect(sockets.filter(({ readyState }) => readyState < 2)).toHaveLength(1);
    await act(async () => root.unmount());
    expect(sockets.filter(({ readyState }) => readyState < 2)).toHaveLength(0);
  });

  it("the provider does what is asked under StrictMode as soon as a component is mounted", async () => {
    const refusals: unknown[] = [];
    function Here() {
      const room = useRoom<Main>();
      useEffect(() => {
        room.do("presence", "set", { status: "here" }).catch((error) => refusals.push(error));
      }, [room]);
      return null;
    }
    const { first } = await open(createElement(Here), { strict: true });
    expect(first.sent.filter((text) => text.includes('"presence"')).length).toBeGreaterThan(0);
    expect(refusals).toEqual([]);
  });

  it("the provider joins another room if its name changes, but not if a function is created again", async () => {
    const Status = () => useStatus().is;
    const { render, sockets, socket } = await open(createElement(Status));
    await render({ getToken: undefined, optimistic: { chat: { say: () => undefined } } });
    expect(sockets).toHaveLength(1);
    await render({ room: "other" });
    expect((await socket(1)).url).toContain("/parties/main/other?");
    expect(sockets[0]?.readyState).toBe(3);
  });

  it("the provider renders on a server without connecting", () => {
    const fake = fakeSockets();
    function Page() {
      const { count } = useMembers();
      return createElement("p", null, `${useStatus().is} ${count} ${useFeature("chat").messages.length}`);
    }
    const props: RoomProviderProps<Main> = {
      host: "x",
      kind: "main",
      room: "hall",
      token: "t",
      WebSocket: fake.WebSocket,
    };
    expect(renderToString(createElement(RoomProvider<Main>, props, createElement(Page)))).toBe(
      "<p>idle 0 0</p>",
    );
    expect(fake.sockets).toHaveLength(0);
  });

  it("the provider hydrates server output piece by piece, though the room is live in between", async () => {
    function Count() {
      const count = useMembers((members) => members.count);
      return createElement("p", null, `${count}, ${useStatus().is}`);
    }
    let arrive: (module: { default: typeof Count }) => void = () => {};
    const Late = lazy(() => new Promise<{ default: typeof Count }>((resolve) => (arrive = resolve)));
    const page = (Second: typeof Count | typeof Late) =>
      createElement(
        RoomProvider<Main>,
        props,
        createElement(Count),
        createElement(Suspense, null, createElement(Second)),
      );
    const fake = fakeSockets();
    const props = {
      host: "x",
      kind: "main",
      room: "hall",
      token: "t",
      WebSocket: fake.WebSocket,
    } as const;
    const element = document.createElement("div");
    element.innerHTML = renderToString(page(Count));
    const wrong: unknown[] = [];
    await act(async () => {
      roots.push(hydrateRoot(element, page(Late), { onRecoverableError: (error) => wrong.push(error) }));
    });
    const socket = await fake.socket(0);
    await act(async () => socket.welcome());
    await act(async () => socket.frame(joinedEvent("ann")));
    expect([...element.querySelectorAll("p")].map(({ textContent }) => textContent)).toEqual([
      "1, live",
      "0, idle",
    ]);
    await act(async () => arrive({ default: Count }));
    expect([...element.querySelectorAll("p")].map(({ textContent }) => textContent)).toEqual([
      "1, live",
      "1, live",
    ]);
    expect(wrong).toEqual([]);
  });

  it("a provider that is unmounted while connecting does not connect later", async () => {
    const { root, sockets, socket } = await open(createElement("p"), { connects: false });
    await act(async () => root.unmount());
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sockets.filter(({ readyState }) => readyState < 2)).toHaveLength(0);
    if (sockets.length > 0) await act(async () => (await socket(0)).welcome());
  });

  it("each component has the room of the nearest provider, for providers beside and inside each other", async () => {
    const fake = fakeSockets();
    const Where = () => createElement("i", null, useRoom<Main>().room);
    const inRoom = (room: string, ...children: ReactNode[]) =>
      createElement(
        RoomProvider<Main>,
        { host: "x", kind: "main", room, token: "t", WebSocket: fake.WebSocket },
        createElement(Where),
        ...children,
      );
    const element = document.createElement("div");
    const root = createRoot(element);
    roots.push(root);
    await act(async () =>
      root.render(createElement("div", null, inRoom("one", inRoom("inner")), inRoom("two"))),
    );
    expect([...element.querySelectorAll("i")].map(({ textContent }) => textContent)).toEqual([
      "one",
      "inner",
      "two",
    ]);
    await fake.socket(2);
    expect(fake.sockets.map(({ url }) => new URL(url).pathname.split("/").at(-1)).sort()).toEqual([
      "inner",
      "one",
      "two",
    ]);
  });

  it("the provider changes rooms within a transition, and never shows one room's messages under another's name", async () => {
    const pairs = new Set<string>();
    function Shown() {
      const { room } = useRoom<Main>();
      const texts = useFeature("chat", ({ messages }) => messages.map(({ text }) => text).join());
      pairs.add(`${room}: ${texts}`);
      return `${room}: ${texts}`;
    }
    const fake = fakeSockets();
    const element = document.createElement("div");
    const root = createRoot(element);
    roots.push(root);
    const props = { host: "x", kind: "main", token: "t", WebSocket: fake.WebSocket } as const;
    const show = (room: string) =>
      root.render(createElement(RoomProvider<Main>, { ...props, room }, createElement(Shown)));
    await act(async () => show("hall"));
    const hall = await fake.socket(0);
    await act(async () => hall.welcome());
    await act(async () => hall.frame(saidEvent("in the hall")));
    await act(async () => startTransition(() => show("yard")));
    const yard = await fake.socket(1);
    await act(async () => yard.welcome());
    await act(async () => yard.frame(saidEvent("in the yard")));
    expect(element.textContent).toBe("yard: in the yard");
    expect([...pairs]).toEqual(["hall: ", "hall: in the hall", "yard: ", "yard: in the yard"]);
  });

  it("the provider accepts a room that was joined elsewhere, and does not end it", async () => {
    let room: RoomClient<Main> | undefined;
    function Own() {
      room = useRoom<Main>();
      return useStatus().is;
    }
    const { element, root } = await open(createElement(Own));
    const other = document.createElement("div");
    const second = createRoot(other);
    const { useStatus: useTyped } = hooksOf<Main>();
    const Shown = () => useTyped().is;
    await act(async () =>
      second.render(
        createElement(RoomProvider<Main>, { client: room as RoomClient<Main> }, createElement(Shown)),
      ),
    );
    expect(other.textContent).toBe("live");
    await act(async () => second.unmount());
    expect(element.textContent).toBe("live");
    expect(room?.status.is).toBe("live");
    await act(async () => root.unmount());
    expect(room?.status.is).toBe("idle");
  });

  it("a hook without a provider throws", () => {
    expect(() => renderToString(createElement(() => useStatus().is))).toThrow("no <RoomProvider>");
  });
});
