// Initiates, repairs and resizes the replica set, and keeps its users equal to the mounted credentials.
// It runs in a loop beside every member; each round checks the state first, so it can be ended and repeated at any point.
// Only the primary's instance makes changes, except for the first initiation, which requires all members to be present
// and empty: a member that lost its volume must join the others again and never initiate a second set.
const fs = require("fs");

// Process 1 of a container ignores SIGTERM without a handler. The pod, whose mongod has ended, would wait for the whole
// grace period before its successor starts (measured: 91 s).
process.on("SIGTERM", () => process.exit(0));

const INTERVAL_MS = 5000;
const STARTING_MS = 1000; // while the member is not healthy, since the pod is not ready until then
const ANSWER_MS = 3000;
const UNAUTHORIZED = 13;
const AUTHENTICATION_FAILED = 18;

const members = Number(process.env.MEMBERS);
const index = Number(process.env.MEMBER_INDEX);
const database = process.env.DATABASE;
const local = process.env.LOCAL_ADDRESS || "localhost:27017";
const credentials = process.env.CREDENTIALS || "/credentials";
const state = process.env.STATE || "/tmp";
const tls = process.env.TLS_FOLDER; // with it, members are reached over TLS only

const addressOf = (number) => process.env.MEMBER_ADDRESS.replace("#", number);
const addresses = [];
for (let number = 0; number < members; number++) addresses.push(addressOf(number));
const secret = (name) => fs.readFileSync(`${credentials}/${name}`, "utf8").trim();
const log = (message, facts = {}) => print(JSON.stringify({ time: new Date().toISOString(), message, ...facts }));

function admin(address, user) {
  const login = user ? `${user}:${encodeURIComponent(secret(`${user}-password`))}@` : "";
  let options = `directConnection=true&serverSelectionTimeoutMS=${ANSWER_MS}&connectTimeoutMS=${ANSWER_MS}`;
  if (tls) options += `&tls=true&tlsCAFile=${encodeURIComponent(`${tls}/ca.crt`)}`;
  return new Mongo(`mongodb://${login}${address}/?authSource=admin&${options}`).getDB("admin");
}

/** What a member says of itself, or null when it does not answer; needs no login. */
function hello(address) {
  try {
    const db = admin(address);
    const answer = db.adminCommand({ hello: 1 });
    db.getMongo().close();
    return answer;
  } catch (error) {
    return null;
  }
}

function initiate() {
  for (const address of addresses) {
    if (address === addressOf(index)) continue;
    const answer = hello(address);
    if (answer === null) return log("waiting for all members to answer", { missing: address });
    if (answer.setName) return log("the others are a replica set: waiting to be taken back");
  }
  const config = { _id: "rs0", members: addresses.map((host, number) => ({ _id: number, host: host })) };
  const db = admin(local);
  let answer;
  try {
    answer = db.adminCommand({ replSetInitiate: config });
  } finally {
    db.getMongo().close();
  }
  log("initiated", { ok: answer.ok, members: addresses });
}

/**
 * A member whose name does not lead to itself at its start does not find itself in its own configuration, and checks
 * again only when another member reports it, or at its next start: a forced reconfiguration is not enough (measured).
 * The pod's hosts file prevents this (statefulset.yaml); this is for a member that runs without it.
 */
function findItself() {
  if (hello(addressOf(index)) === null) return log("waiting until my name leads to me");
  for (const address of addresses) if (address !== addressOf(index) && hello(address)?.setName) return;
  const db = admin(local, "admin");
  try {
    const config = db.getSiblingDB("local").getCollection("system.replset").findOne();
    if (!config || !config.members.some(({ host }) => host === addressOf(index))) return;
    log("not in my own configuration under my name: starting mongod again");
    db.adminCommand({ shutdown: 1, force: true });
  } catch (error) {
    if (error.code === AUTHENTICATION_FAILED) return; // empty; the others will add it
    if (error.code !== undefined) throw error; // without a code: the connection ended, as expected
  } finally {
    db.getMongo().close();
  }
}

const USERS = [
  { user: "service", roles: [{ role: "readWrite", db: database }] },
  // For the audit: reads its own database only.
  { user: "reader", roles: [{ role: "read", db: database }] },
  // For backups: reads everything, writes to the drill's database only. A real restore needs the administrator.
  { user: "backup", roles: ["backup", { role: "dbOwner", db: "restore_drill" }] },
];

let applied = "";

/** The first user is made through the localhost exception, which ends with it; the others by the first. */
function login() {
  try {
    const db = admin(local, "admin");
    db.adminCommand({ ping: 1 });
    return db;
  } catch (error) {
    if (error.code !== AUTHENTICATION_FAILED) throw error;
  }
  const db = admin(local);
  try {
    db.createUser({ user: "admin", pwd: secret("admin-password"), roles: ["root"] });
    log("user created", { user: "admin" });
  } catch (error) {
    if (error.code === UNAUTHORIZED) throw new Error("the admin password is not the one that the Secret holds");
    throw error;
  } finally {
    db.getMongo().close();
  }
  return admin(local, "admin");
}

function ensureUsers(db) {
  const wanted = JSON.stringify(USERS.map(({ user }) => secret(`${user}-password`)));
  if (wanted === applied) return;
  for (const { user, roles } of USERS) {
    const pwd = secret(`${user}-password`);
    if (db.getUser(user)) db.updateUser(user, { pwd, roles });
    else db.createUser({ user, pwd, roles });
  }
  applied = wanted;
  log("users are as the credentials say");
}

let certificate = "";

/** Tells this member to read a renewed certificate. New connections get it, open ones stay. */
function ensureCertificate() {
  if (!tls) return;
  const present = fs.readFileSync(`${tls}/tls-combined.pem`, "utf8");
  if (present === certificate) return;
  const db = admin(local, "admin");
  try {
    db.adminCommand({ rotateCertificates: 1 });
  } finally {
    db.getMongo().close();
  }
  certificate = present;
  log("the member has read its certificate");
}

/** A loop, since mongosh waits for no server inside a callback. */
function firstThatAnswers(candidates) {
  for (const address of candidates) if (hello(address) !== null) return address;
  return undefined;
}

/** One voting member at a time, as the server asks: the first that is missing, else the last that is too many. */
function ensureMembers(db) {
  const config = db.adminCommand({ replSetGetConfig: 1 }).config;
  const present = config.members.map(({ host }) => host);
  const missing = firstThatAnswers(addresses.filter((address) => !present.includes(address)));
  const surplus = present.findLast((host) => !addresses.includes(host));
  if (missing !== undefined) {
    const _id = 1 + Math.max(...config.members.map((member) => member._id));
    config.members.push({ _id, host: missing });
  } else if (surplus === undefined) return;
  else if (surplus === db.adminCommand({ hello: 1 }).me) return db.adminCommand({ replSetStepDown: 60 });
  else config.members = config.members.filter(({ host }) => host !== surplus);
  config.version += 1;
  db.adminCommand({ replSetReconfig: config });
  log(missing ? "member added" : "member removed", { host: missing ?? surplus });
}

let healthy = false;

function round() {
  const self = hello(local);
  healthy = Boolean(self?.isWritablePrimary || self?.secondary);
  if (healthy) fs.writeFileSync(`${state}/healthy`, "");
  if (self === null) return;
  if (!self.setName) {
    try {
      if (index === 0) initiate();
      else findItself();
    } catch (error) {
      if (error.code !== UNAUTHORIZED) throw error;
      findItself(); // users exist: it was initiated before
    }
    return;
  }
  if (self.isWritablePrimary) {
    const db = login();
    try {
      ensureUsers(db);
      ensureMembers(db);
    } finally {
      db.getMongo().close();
    }
  }
  if (healthy) ensureCertificate();
}

for (;;) {
  try {
    round();
  } catch (error) {
    log("round failed, going on", { error: String(error.message ?? error) });
  }
  fs.writeFileSync(`${state}/alive`, "");
  sleep(healthy ? INTERVAL_MS : STARTING_MS);
}
