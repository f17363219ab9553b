// Counts the documents that the drill restored, removes them, and fails when there were none.
const fs = require("fs");
const address = fs.readFileSync(`/credentials/${process.env.SERVICE}.yaml`, "utf8").trim().replace(/^uri: /, "");
const ca = process.env.INTERNAL_CA_FILE;
const drill = new Mongo(ca ? `${address}&tls=true&tlsCAFile=${encodeURIComponent(ca)}` : address).getDB("restore_drill");
const names = drill.getCollectionNames();
let documents = 0;
for (const name of names) documents += drill.getCollection(name).countDocuments({});
drill.dropDatabase();
print(`${process.env.SERVICE}: ${names.length} collections, ${documents} documents`);
if (names.length === 0) quit(1);
