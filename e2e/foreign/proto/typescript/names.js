// Prints what a program in TypeScript finds: the enums with their words, and a session read from base64.
import { fromBinary } from "@bufbuild/protobuf";
import * as aml from "./gen/kyc/v1/aml_pb.js";
import * as check from "./gen/kyc/v1/check_pb.js";
import * as deadLetter from "./gen/kyc/v1/dead_letter_pb.js";
import * as disposition from "./gen/kyc/v1/disposition_pb.js";
import * as event from "./gen/kyc/v1/event_pb.js";
import * as hydrate from "./gen/kyc/v1/hydrate_pb.js";
import * as raw from "./gen/kyc/v1/raw_pb.js";
import * as renewal from "./gen/kyc/v1/renewal_pb.js";
import * as resource from "./gen/kyc/v1/resource_pb.js";
import * as session from "./gen/kyc/v1/session_pb.js";

const enums = {};
for (const module of [aml, check, deadLetter, disposition, event, hydrate, raw, renewal, resource, session]) {
  for (const [name, value] of Object.entries(module)) {
    if (value.kind === "enum") {
      enums[value.typeName] = Object.keys(module[name.replace(/Schema$/, "")]).filter((word) => !/^[0-9]+$/.test(word));
    }
  }
}
const read = fromBinary(session.SessionEventSchema, Buffer.from(process.argv[2], "base64"));
console.log(JSON.stringify({
  enums,
  read: {
    id: read.metadata.eventId,
    offset: String(read.metadata.raw.offset),
    started: read.transition === session.SessionTransition.STARTED,
    word: event.Decision[read.decision] ?? String(read.decision),
  },
}));
