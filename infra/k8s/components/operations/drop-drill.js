// Counts what the drill restored, removes it, and fails when there was nothing.
const fs = require("fs");
const address = fs.readFileSync(`/credentials/${process.env.SERVICE}.yaml`, "utf8").trim().replace(/^uri: /, "");
const drill = new Mongo(address).getDB("restore_drill");
const names = drill.getCollectionNames();
let documents = 0;
for (const name of names) documents += drill.getCollection(name).countDocuments({});
drill.dropDatabase();
print(`${process.env.SERVICE}: ${names.length} collections, ${documents} documents`);
if (names.length === 0) quit(1);
