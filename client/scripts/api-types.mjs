/**
 * Writes lib/api/generated.ts from the services' OpenAPI documents in docs/openapi; with --check it only reports whether
 * the file is up to date. Supports the part of JSON Schema that the services use, and fails for other keywords (the usual
 * generators need TypeScript's old compiler API, which TypeScript 7 no longer has).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DOCUMENTS = join(import.meta.dirname, "..", "..", "docs", "openapi");
const TARGET = join(import.meta.dirname, "..", "lib", "api", "generated.ts");
const HEAD = "/** Made by `npm run api-types` from docs/openapi: do not edit. */\n";

/** Keywords that do not affect the TypeScript type: constraints and documentation. */
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
  if (unknown.length > 0) throw new Error(`${where}: api-types.mjs does not support ${unknown.join(", ")}`);
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
      // A response other than JSON: a stream, or no content.
      if (type === undefined) return "unknown";
      throw new Error(`${where}: api-types.mjs does not support the type ${type}`);
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

/** The types of one operation's query, request body and response. */
function operation(method, path, { parameters = [], requestBody, responses, summary }) {
  const where = `${method} ${path}`;
  const query = parameters.filter((one) => one.in === "query").map((one) => JSON.stringify(one.name));
  const [, success = {}] = Object.entries(responses).find(([status]) => /^2\d\d$/.test(status)) ?? [];
  const json = (content) => content?.["application/json"]?.schema;
  const requestSchema = json(requestBody?.content);
  const responseSchema = json(success.content);
  return [
    summary ? `  /** ${summary} */\n` : "",
    `  ${JSON.stringify(where)}: {\n`,
    `    query: ${query.join(" | ") || "never"};\n`,
    `    body: ${requestSchema ? typeOf(requestSchema, `${where} body`) : "undefined"};\n`,
    `    answer: ${responseSchema ? typeOf(responseSchema, `${where} answer`) : "undefined"};\n`,
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
      if (schemas.has(name) && schemas.get(name) !== text)
        throw new Error(`${file}: ${name} differs from the same schema of another service`);
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
  console.error("lib/api/generated.ts does not match docs/openapi: run `make docs`.");
  process.exit(1);
}
