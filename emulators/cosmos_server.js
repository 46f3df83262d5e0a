"use strict";
// Vercel's Cosmos DB server over plain HTTP on loopback:  node cosmos_server.js PACKAGE PORT [FILE]
// It says its port on standard output once it listens. COSMOS_ACCOUNT_KEY in the environment is the key that requests have to be signed with. With FILE (SQLite), what it holds outlives the process, however that ends.

const { createHmac, timingSafeEqual } = require("node:crypto");
const path = require("node:path");

const [, , home, port, file] = process.argv;
const { createHttpServer } = require(home);
const account = (name) => require(path.join(home, "lib", "account", name));

process.on("uncaughtException", (error) => {
  console.error(error.stack);
  console.error(`The Cosmos server ends: ${error.message}`); // the last line is what people are shown
  process.exit(1);
});
narrow();
strengthen();
if (file) keep(file);

// The package's own command closes the connection after each answer, which costs more than the answer.
const server = createHttpServer({ keepAlive: true });
server.keepAliveTimeout = 600_000;
// Its read of a document that is not there fails with 500, unless a header lets it past the comparison of partition keys: then it is 404 as in Azure.
server.prependListener("request", (request) => {
  if (request.method === "GET") request.headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
});
if (process.env.COSMOS_ACCOUNT_KEY) guard(server, Buffer.from(process.env.COSMOS_ACCOUNT_KEY, "base64"));
server.listen(Number(port), "127.0.0.1", () => console.log(server.address().port));

/** A query that begins with its partition looks at the documents of that partition, instead of evaluating itself on all of the container. */
function narrow() {
  const Documents = account("documents").default;
  const { query } = Documents.prototype;
  Documents.prototype.query = function (asked, options) {
    const [, field, name] = /\bWHERE c\.(\w+) = (@\w+)(?: AND |$| ORDER BY )/.exec(asked.query) ?? [];
    const given = (asked.parameters ?? []).find((parameter) => parameter.name === name);
    if (!given || `/${field}` !== this._partitionKeyPath[0] || / OR /i.test(asked.query)) return query.call(this, asked, options);
    const whole = this._data;
    this._data = new Map([...whole].filter(([, document]) => document.read()[field] === given.value));
    try {
      return query.call(this, asked, options);
    } finally {
      this._data = whole;
    }
  };
}

/** Nobody is answered who does not hold the account's key: any page and any process of the machine can reach a port on loopback. */
function guard(server, key) {
  const listeners = server.listeners("request");
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    if (isSigned(request, key)) return listeners.forEach((each) => each.call(server, request, response));
    request.resume();
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "Unauthorized", message: "The request is not signed with the key of this account." }));
  });
}

/** Azure's signature: of the verb, the kind of resource, its link (a list's is its owner's) and the date. */
function isSigned(request, key) {
  const parts = new URL(request.url, "http://localhost").pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const isList = parts.length % 2 === 1;
  const kind = parts.at(isList ? -1 : -2) ?? "";
  const link = (isList ? parts.slice(0, -1) : parts).join("/");
  const { authorization = "", "x-ms-date": date = "" } = request.headers;
  // The account itself has no path; its kind stands only in the signature.
  return (kind ? [kind] : ["databaseaccount", ""]).some((each) => {
    const text = `${request.method}\n${each}\n`.toLowerCase() + `${link}\n${date.toLowerCase()}\n\n`;
    const wanted = Buffer.from(`type=master&ver=1.0&sig=${createHmac("sha256", key).update(text).digest("base64")}`);
    const given = Buffer.from(decodeURIComponent(authorization));
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

/** The account tells what the deployed one tells. It is true: one process answers everything, one after the other. */
function strengthen() {
  const Account = account("index").default;
  account("index").default = class extends Account {
    constructor(...given) {
      super(...given);
      this.read().userConsistencyPolicy.defaultConsistencyLevel = "Strong";
    }
  };
}

/** Every database, container and document is in the file before its change is answered, and is read from there at the start. */
function keep(file) {
  const { DatabaseSync } = require("node:sqlite");
  const Items = account("items").default;
  const kinds = ["databases", "collections", "documents"].map((name) => account(name).default);
  const sqlite = new DatabaseSync(file);
  sqlite.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS items (
      rid TEXT PRIMARY KEY, parent TEXT REFERENCES items ON DELETE CASCADE, number INTEGER NOT NULL, item TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS by_parent ON items (parent, number)`);
  const put = sqlite.prepare("INSERT INTO items VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET item = excluded.item");
  const drop = sqlite.prepare("DELETE FROM items WHERE rid = ?");
  const children = sqlite.prepare("SELECT number, item FROM items WHERE parent IS ? ORDER BY number");

  const isKept = (items) => kinds.some((kind) => items instanceof kind);
  const parentOf = (items) => (items instanceof kinds[0] ? null : items._parent.read()._rid);
  const { _set, replace, delete: remove } = Items.prototype;
  let restoring = false;
  let replacing = false;

  Items.prototype._set = function (data) {
    const stored = _set.call(this, data);
    if (!restoring && isKept(this)) put.run(stored._rid, parentOf(this), this._ridCount, JSON.stringify(stored));
    return stored;
  };
  Items.prototype.replace = function (...given) {
    replacing = true; // it takes out and puts in again, which must be one step in the file
    try {
      return replace.apply(this, given);
    } finally {
      replacing = false;
    }
  };
  Items.prototype.delete = function (...given) {
    const there = this._item("/id", ...given).read();
    remove.apply(this, given);
    if (there && !replacing && isKept(this)) drop.run(there._rid);
  };

  function restore(items) {
    for (const { number, item } of children.all(parentOf(items))) {
      const data = JSON.parse(item);
      items._set(data);
      items._ridCount = number; // from which the next one's rid is made
      const below = items._data.get(data._rid);
      for (const each of [below.collections, below.documents]) if (each) restore(each);
    }
  }
  account("databases").default = class extends kinds[0] {
    constructor(...given) {
      super(...given);
      restoring = true;
      restore(this);
      restoring = false;
    }
  };
}
