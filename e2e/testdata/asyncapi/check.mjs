// Prints, for each AsyncAPI document named, what the official parser has to say of it, as one JSON object.
// Payloads in protobuf are read by its parser of those.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import { ProtoBuffSchemaParser } from "@asyncapi/protobuf-schema-parser";

const said = {};
for (const file of process.argv.slice(2)) {
  const parser = new Parser();
  parser.registerSchemaParser(ProtoBuffSchemaParser());
  const { document, diagnostics } = await parser.parse(readFileSync(file, "utf8"), { source: file });
  said[file] = {
    channels: document?.channels().all().map((c) => c.address()) ?? [],
    problems: diagnostics.map((d) => `${d.code} at ${d.path.join("/")}: ${d.message}`.slice(0, 400)),
  };
}
console.log(JSON.stringify(said));
