// What a SessionEvent says, and what is done about it.

import type { DescEnum } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Decision, DecisionSchema, Environment } from "./gen/kyc/v1/event_pb.js";
import { Finality, FinalitySchema, type SessionEvent } from "./gen/kyc/v1/session_pb.js";

const actions = new Map([
  [Decision.APPROVED, "open"],
  [Decision.DECLINED, "refuse"],
  [Decision.REVIEW, "ask"],
  [Decision.INCOMPLETE, "ask"],
  [Decision.UNDETERMINED, "ask"],
]);

/** A row of the table decisions. */
export interface Verdict {
  eventId: string;
  endpoint: string;
  subject: string;
  customerReference: string;
  decision: string;
  finality: string;
  acted: string;
  occurredAt: string;
  receivedAt: string;
}

/** The verdict of an event; undefined where it has none. The key is `<endpoint>/<subject>`. */
export function verdictOf(eventId: string, key: string, event: SessionEvent, sandbox: boolean): Verdict | undefined {
  if (event.decision === Decision.UNSPECIFIED) {
    return undefined;
  }
  const metadata = event.metadata;
  return {
    eventId,
    endpoint: metadata?.endpoint ?? "",
    subject: key.slice(key.indexOf("/") + 1),
    customerReference: customerOf(event),
    decision: word(DecisionSchema, event.decision),
    finality: word(FinalitySchema, event.finality),
    acted: action(event, sandbox),
    occurredAt: instant(metadata?.occurredAt),
    receivedAt: instant(metadata?.receivedAt),
  };
}

/** The line on screen. */
export function line(v: Verdict): string {
  return `${v.decision} ${v.finality} ${v.endpoint}/${v.subject} ${v.customerReference} -> ${v.acted}`;
}

/** What to do: nothing for a test, an unknown verdict, one that may change, or no known customer. */
function action(event: SessionEvent, sandbox: boolean): string {
  if (event.metadata?.environment !== Environment.LIVE && !sandbox) {
    return "sandbox";
  }
  const does = actions.get(event.decision);
  if (does === undefined) {
    return "unknown";
  }
  if (event.finality === Finality.PRELIMINARY) {
    return "wait";
  }
  return customerOf(event) === "" ? "no reference" : does;
}

function customerOf(event: SessionEvent): string {
  return event.metadata?.subject?.customerReference ?? "";
}

/**
 * The name of an enum's value without the enum's own: APPROVED for
 * DECISION_APPROVED. A number that this code does not know comes from a newer
 * kycbridge; `Decision[number]` is undefined for it, whatever its type says.
 */
function word(of: DescEnum, number: number): string {
  return of.value[number]?.localName ?? `UNKNOWN_${number}`;
}

/** RFC 3339 with all digits that there are (a Date would drop nanoseconds); empty when unset. */
function instant(t: Timestamp | undefined): string {
  if (t === undefined) {
    return "";
  }
  const seconds = new Date(Number(t.seconds) * 1000).toISOString().slice(0, 19);
  const fraction = String(t.nanos).padStart(9, "0").replace(/0+$/, "");
  return `${seconds}${fraction && "."}${fraction}Z`;
}
