/**
 * Writes lib/api/generated.ts from the services' OpenAPI documents in docs/openapi; with --check it only says whether
 * that would change anything. Knows the part of JSON Schema that the services use, and refuses the rest by name
 * (the usual generators need TypeScript's old compiler API, which TypeScript 7 no longer has).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DOCUMENTS = join(import.meta.dirname, "..", "..", "docs", "openapi");
const TARGET = join(import.meta.dirname, "..", "lib", "api", "generated.ts");
const HEAD = "/** Made by `npm run api-types` from docs/openapi: do not edit. */\n";

/** Says nothing about the shape: what a value may be beyond its type, and prose. */
const REMARKS = new Set(
  "title description default examples format pattern writeOnly minimum maximum multipleOf minLength maxLength".split(
    " ",
  ),
);

function typeOf(schema, where) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map((one, index) => typeOf(one, `${where}.anyOf[${index}]`)).join(" | ");
  const { type, enum: values, const: only, properties, required, additionalProperties, items, ...rest } = schema;
  const unknown = Object.keys(rest).filter((keyword) => !REMARKS.has(keyword));
  if (unknown.length > 0) throw new Error(`${where}: api-types.mjs does not know ${unknown.join(", ")}`);
  if (only !== undefined) return JSON.stringify(only);
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "number":
    case "integer":
      return "number";
    case "array":
      return `Array<${typeOf(items, `${where}[]`)}>`;
    case "object":
      return members(properties ?? {}, required ?? [], where);
    default:
      // An answer that is no JSON: a stream, or nothing.
      if (type === undefined) return "unknown";
      throw new Error(`${where}: api-types.mjs does not know the type ${type}`);
  }
}

function members(properties, required, where) {
  const lines = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? "" : "?";
    return `${remark(schema, "  ")}  ${name}${optional}: ${typeOf(schema, `${where}.${name}`)};\n`;
  });
  return lines.length > 0 ? `{\n${lines.join("")}}` : "Record<string, never>";
}

function remark({ description }, indent = "") {
  if (!description) return "";
  const text = description.replaceAll("*/", "*\\/").split("\n");
  return text.length === 1
    ? `${indent}/** ${text[0]} */\n`
    : `${indent}/**\n${text.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** What one call takes and gives, as the client needs it. */
function operation(method, path, { parameters = [], requestBody, responses, summary }) {
  const where = `${method} ${path}`;
  const query = parameters.filter((one) => one.in === "query").map((one) => JSON.stringify(one.name));
  const [, success = {}] = Object.entries(responses).find(([status]) => /^2\d\d$/.test(status)) ?? [];
  const json = (content) => content?.["application/json"]?.schema;
  const asked = json(requestBody?.content);
  const answered = json(success.content);
  return [
    summary ? `  /** ${summary} */\n` : "",
    `  ${JSON.stringify(where)}: {\n`,
    `    query: ${query.join(" | ") || "never"};\n`,
    `    body: ${asked ? typeOf(asked, `${where} body`) : "undefined"};\n`,
    `    answer: ${answered ? typeOf(answered, `${where} answer`) : "undefined"};\n`,
    "  };\n",
  ].join("");
}

function generate() {
  const schemas = new Map();
  const operations = [];
  for (const file of readdirSync(DOCUMENTS)
    .filter((name) => name.endsWith(".json"))
    .sort()) {
    const document = JSON.parse(readFileSync(join(DOCUMENTS, file), "utf8"));
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      const text = `${remark(schema)}export type ${name} = ${typeOf(schema, name)};\n`;
      if (schemas.has(name) && schemas.get(name) !== text) throw new Error(`${file}: another ${name} than elsewhere`);
      schemas.set(name, text);
    }
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, described] of Object.entries(methods)) {
        operations.push(operation(method.toUpperCase(), path, described));
      }
    }
  }
  const types = [...schemas].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, text]) => text);
  const calls = `/** Every call of the HTTP contract. */\nexport interface Operations {\n${operations.join("")}}\n`;
  return [HEAD, ...types, calls].join("\n");
}

const made = generate();
if (!process.argv.includes("--check")) writeFileSync(TARGET, made);
else if (readFileSync(TARGET, "utf8") !== made) {
  console.error("lib/api/generated.ts is not what docs/openapi says: run `make docs`.");
  process.exit(1);
}
