import { expect, it } from "vitest";
import { callSecretsOf } from "../../src/config/config";
import { signCall, verifyCall } from "../../src/edge/signed-calls/signed-call";

it("[S4] a call signed with BATCH_SECRET_OLD is believed while both sides change over", async () => {
  const call = { method: "POST", path: "/v1/batches", body: "{}" };
  const [present, old, now] = ["the present secret of both", "the secret before that one", 1_800_000_000_000];
  const signed = await signCall(call, old, now);
  const judged = (env: Record<string, string>) => {
    const secrets = callSecretsOf(env);
    if (!secrets) throw new Error("no secrets");
    return verifyCall(call, signed, secrets, now);
  };
  expect(await judged({ BATCH_SECRET: present, BATCH_SECRET_OLD: old })).toEqual({ ok: true });
  expect(await judged({ BATCH_SECRET: present })).toMatchObject({ ok: false });
  expect(
    callSecretsOf({ BATCH_SECRET_OLD: old }),
    "nothing to sign with is nothing to believe",
  ).toBeUndefined();
});
