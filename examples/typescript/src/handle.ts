// One record, in one transaction. What cannot be used is noted and stops nothing.

import { fromBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import type { EachMessagePayload, IHeaders } from "kafkajs";
import { SessionEventSchema, type SessionEvent } from "./gen/kyc/v1/session_pb.js";
import type { Store } from "./store.js";
import { verdictOf, type Verdict } from "./verdict.js";

const validator = createValidator();

export function handle(store: Store, record: EachMessagePayload, sandbox: boolean): Verdict | undefined {
  const { topic, partition, message } = record;
  const place = { topic, partition, offset: BigInt(message.offset) };
  return store.transaction(place, () => {
    // Every record of kycbridge has this id; the same event always has the same.
    const eventId = header(message.headers, "ce_id");
    if (eventId === "") {
      store.reject(place, "no id");
      return undefined;
    }
    if (!store.isNew(eventId, place)) {
      return undefined;
    }
    const event = decode(message.value);
    if (typeof event === "string") {
      store.reject(place, event);
      return undefined;
    }
    const verdict = verdictOf(eventId, message.key?.toString() ?? "", event, sandbox);
    if (verdict !== undefined) {
      store.decide(verdict);
    }
    return verdict;
  });
}

/** The event, or why there is none. */
function decode(value: Buffer | null): SessionEvent | "undecodable" | "invalid" {
  let event: SessionEvent;
  try {
    event = fromBinary(SessionEventSchema, value ?? new Uint8Array());
  } catch {
    return "undecodable";
  }
  const result = validator.validate(SessionEventSchema, event);
  if (result.kind === "error") {
    throw result.error; // a rule cannot be run: no fault of the record's
  }
  return result.kind === "valid" ? event : "invalid";
}

function header(headers: IHeaders | undefined, name: string): string {
  const value = headers?.[name];
  return (Array.isArray(value) ? value.at(-1) : value)?.toString() ?? "";
}
