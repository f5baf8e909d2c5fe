import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Decision, Environment } from "./gen/kyc/v1/event_pb.js";
import { Finality, SessionEventSchema, type SessionEvent } from "./gen/kyc/v1/session_pb.js";
import { line, verdictOf } from "./verdict.js";

interface Change {
  decision?: number;
  finality?: number;
  environment?: number;
  customer?: string;
  nanos?: number;
}

function event(change: Change = {}): SessionEvent {
  return create(SessionEventSchema, {
    decision: change.decision ?? Decision.APPROVED,
    finality: change.finality ?? Finality.FINAL,
    metadata: {
      endpoint: "shop",
      environment: change.environment ?? Environment.LIVE,
      subject: { customerReference: change.customer ?? "customer-42" },
      receivedAt: { seconds: 1_767_323_045n, nanos: change.nanos ?? 0 },
    },
  });
}

const lines: [string, Change, boolean?][] = [
  ["APPROVED FINAL shop/a/b customer-42 -> open", {}],
  ["DECLINED FINAL shop/a/b customer-42 -> refuse", { decision: Decision.DECLINED }],
  ["REVIEW FINAL shop/a/b customer-42 -> ask", { decision: Decision.REVIEW }],
  ["UNKNOWN_99 FINAL shop/a/b customer-42 -> unknown", { decision: 99 }],
  ["APPROVED UNKNOWN_99 shop/a/b customer-42 -> open", { finality: 99 }],
  ["APPROVED PRELIMINARY shop/a/b customer-42 -> wait", { finality: Finality.PRELIMINARY }],
  ["APPROVED FINAL shop/a/b  -> no reference", { customer: "" }],
  ["APPROVED FINAL shop/a/b customer-42 -> sandbox", { environment: Environment.SANDBOX }],
  ["APPROVED FINAL shop/a/b customer-42 -> sandbox", { environment: 99 }],
  ["APPROVED FINAL shop/a/b customer-42 -> open", { environment: Environment.SANDBOX }, true],
];

for (const [want, change, sandbox = false] of lines) {
  test(`${want} of ${JSON.stringify(change)}`, () => {
    const verdict = verdictOf("id", "shop/a/b", event(change), sandbox);
    assert.equal(verdict && line(verdict), want);
  });
}

test("no decision, no verdict", () => {
  assert.equal(verdictOf("id", "shop/a", event({ decision: Decision.UNSPECIFIED }), false), undefined);
});

test("instants keep their nanoseconds", () => {
  for (const [nanos, want] of [[0, "2026-01-02T03:04:05Z"], [120_000_000, "2026-01-02T03:04:05.12Z"], [1, "2026-01-02T03:04:05.000000001Z"]] as const) {
    assert.equal(verdictOf("id", "shop/a", event({ nanos }), false)?.receivedAt, want);
  }
});
