// The released Mem0 client for Node, through every method against `kept serve`.
//
// KEPT_TEST_URL, KEPT_TEST_ADMIN_KEY say where it is and who may make projects; each test works in a project of its own.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const http = require("node:http");
const { before, beforeEach, test } = require("node:test");
const mem0 = require("mem0ai");

const { MemoryClient } = mem0;
const url = process.env.KEPT_TEST_URL;
const adminKey = process.env.KEPT_TEST_ADMIN_KEY;
const DEADLINE_MS = 15_000; // for work that was acknowledged
const ofMira = { filters: { user_id: "mira" } };
const ofAnyone = { filters: { user_id: "*" } };

const MEMORY_KEYS = [
  "id", "memory", "userId", "agentId", "appId", "sessionId", "runId", "metadata", "categories", "createdAt",
  "updatedAt", "expirationDate", "structuredAttributes", "replacedBy", "synthesized", "hash",
];

let projectId, key, client;

before(() => assert.ok(url && adminKey, "KEPT_TEST_URL and KEPT_TEST_ADMIN_KEY must be set"));

beforeEach(async () => {
  const made = await ask("POST", "/api/v1/orgs/organizations/default/projects/", adminKey, { name: "acceptance" });
  assert.equal(made.status, 200);
  ({ project_id: projectId, api_key: key } = made.body);
  client = new MemoryClient({ apiKey: key, host: url });
});

async function ask(method, path, withKey, body) {
  const headers = { Authorization: `Token ${withKey}`, "Content-Type": "application/json" };
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

async function poll(look, isDone) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (isDone(found)) return found;
    assert.ok(Date.now() < deadline, `not done in time: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const eventOf = (answer) =>
  poll(
    async () => (await ask("GET", `/v1/event/${answer.eventId}/`, key)).body,
    (event) => ["SUCCEEDED", "FAILED"].includes(event.status),
  );

async function stored(texts, options = {}) {
  const messages = texts.map((content) => ({ role: "user", content }));
  const answer = await client.add(messages, { userId: "mira", infer: false, ...options });
  assert.equal(answer.status, "SUCCEEDED");
  return answer.results.map((one) => one.id);
}

function assertHas(found, keys) {
  const missing = keys.filter((name) => !(name in found));
  assert.deepEqual(missing, []);
}

const fails = (call, kind) => assert.rejects(call, (error) => error instanceof kind && error.message.length > 0);

test("a client knows who it is, with and without a slash at the end of its host", async () => {
  await client.ping();
  assert.equal(client.projectId, projectId);
  const slashed = new MemoryClient({ apiKey: key, host: `${url}/` });
  await slashed.ping();
  assert.equal((await slashed.users()).count, 0);
});

test("a wrong key is refused", () => fails(new MemoryClient({ apiKey: "kept_wrong", host: url }).ping(), mem0.AuthenticationError));

test("a memory from its first word to its last", async () => {
  const pending = await client.add([{ role: "user", content: "I prefer window seats" }], { userId: "mira", metadata: { topic: "travel" } });
  assert.equal(pending.status, "PENDING");
  const event = await eventOf(pending);
  assert.equal(event.status, "SUCCEEDED");
  const [{ id }] = event.results;

  const page = await client.getAll(ofMira);
  assert.deepEqual([page.count, page.next, page.previous], [1, null, null]);
  assertHas(page.results[0], MEMORY_KEYS);
  assert.deepEqual(page.results[0].metadata, { topic: "travel" });

  const { results } = await client.search("which seat does she like", { ...ofMira, topK: 5 });
  assert.equal(results[0].id, id);
  assert.ok(results[0].score >= 0 && results[0].score <= 1);

  assert.equal((await client.get(id)).memory, "I prefer window seats");
  assert.equal((await client.update(id, { text: "I prefer aisle seats" })).memory, "I prefer aisle seats");
  const steps = await client.history(id);
  assert.deepEqual(steps.map((step) => step.event), ["ADD", "UPDATE"]);
  for (const step of steps) {
    assertHas(step, ["id", "memoryId", "oldMemory", "newMemory", "event", "input", "userId", "categories", "createdAt", "updatedAt"]);
    assert.ok(Date.parse(step.createdAt) <= Date.parse(step.updatedAt));
  }
  assert.ok((await client.delete(id)).message);
  await fails(client.get(id), mem0.MemoryNotFoundError);
});

test("ids that are none are told from ids that are nobody's", async () => {
  for (const call of [
    (id) => client.get(id),
    (id) => client.history(id),
    (id) => client.delete(id),
    (id) => client.update(id, { text: "x" }),
    (id) => client.feedback({ memoryId: id, feedback: "POSITIVE" }),
  ]) {
    await fails(call("a/b %?"), mem0.ValidationError);
    await fails(call(randomUUID()), mem0.MemoryNotFoundError);
  }
});

test("a read says whose memories it is about", async () => {
  await fails(client.getAll(), mem0.ValidationError);
  await fails(client.search("tea"), mem0.ValidationError);
  await fails(client.getAll({ filters: { user_id: "mira", unheard_of: 1 } }), mem0.ValidationError);
});

test("pages walk every memory once", async () => {
  const ids = await stored(["one fact", "two facts", "three facts", "four facts", "five facts"]);
  const seen = [];
  for (let page = 1; ; page += 1) {
    const found = await client.getAll({ ...ofMira, page, pageSize: 2 });
    assert.equal(found.count, 5);
    seen.push(...found.results.map((memory) => memory.id));
    if (found.next === null) break;
  }
  assert.deepEqual(seen.toSorted(), ids.toSorted());
});

test("what has expired is hidden and not lost", async () => {
  const [id] = await stored(["I like tea"]);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  assert.equal((await client.update(id, { expirationDate: yesterday })).expirationDate, yesterday);
  assert.equal((await client.getAll(ofMira)).count, 0);
  assert.equal((await client.getAll({ ...ofMira, showExpired: true })).count, 1);
  assert.equal((await client.update(id, { expirationDate: null })).expirationDate, null);
  assert.equal((await client.getAll(ofMira)).count, 1);
});

test("linked memories go along when they are asked to", async () => {
  const add = async (facts) => (await ask("POST", "/v3/memories/add/", key, { facts, user_id: "mira" })).body.results[0].id;
  const older = await add(["Mira lives in Oslo"]);
  const newer = await add([{ text: "Mira lives in Bergen", supersedes: [older] }]);
  const answer = await client.delete(newer, { deleteLinked: true });
  assert.equal(answer.cascadeCount, 1);
  assert.equal((await client.getAll(ofMira)).count, 0);
});

test("all of a scope are deleted and no others; without a scope, none", async () => {
  await stored(["I like tea"]);
  await stored(["I like milk"], { userId: "noor" });
  await fails(client.deleteAll(), mem0.ValidationError);
  assert.equal((await client.getAll(ofAnyone)).count, 2);
  const answer = await client.deleteAll({ userId: "mira" });
  assert.ok(answer.message);
  assert.equal((await eventOf(answer)).status, "SUCCEEDED");
  assert.equal((await client.getAll(ofAnyone)).count, 1);
});

test("memories are changed and deleted in batches", async () => {
  const [one, two] = await stored(["I like tea", "I like milk"]);
  const changed = await client.batchUpdate([{ memoryId: one, text: "I like rooibos" }, { memoryId: two, text: "I like oat milk" }]);
  assert.equal(changed.message, "Successfully updated 2 memories");
  assert.equal((await client.get(two)).memory, "I like oat milk");
  assert.equal((await client.batchDelete([one, two])).message, "Successfully deleted 2 memories");
  assert.equal((await client.getAll(ofMira)).count, 0);
});

test("entities are listed, and deleted by name or by number", async () => {
  const names = async () => (await client.users()).results.map((one) => one.name).toSorted();
  await stored(["I like tea"], { agentId: "a/b %?ü" });
  await stored(["I like milk"], { userId: "noor" });
  const found = await client.users({ page: 1, pageSize: 2 });
  assert.deepEqual([found.count, found.results.length, typeof found.next], [3, 2, "string"]);
  for (const one of found.results) {
    assertHas(one, ["id", "name", "type", "owner", "createdAt", "updatedAt", "totalMemories"]);
    assert.equal(typeof one.id, "string");
  }
  assert.ok((await client.deleteUsers({ agentId: "a/b %?ü" })).message);
  await poll(names, (left) => left.length === 1);
  const [{ id }] = (await client.users()).results;
  assert.ok((await client.deleteUser({ entity_id: id, entity_type: "user" })).message);
  await poll(names, (left) => left.length === 0);
  await fails(client.deleteUser({ entity_id: "no number", entity_type: "user" }), mem0.ValidationError);
});

test("everyone is deleted by one call", async () => {
  await stored(["I like tea"], { agentId: "a1" });
  assert.ok((await client.deleteUsers()).message);
  await poll(() => client.users(), (found) => found.count === 0);
});

test("a project is read and changed", async () => {
  const answer = await client.updateProject({ customInstructions: "be brief", customCategories: [{ food: "What one eats" }], decay: true, multilingual: false });
  assert.equal(answer.message, "Project updated successfully");
  const found = await client.getProject({ fields: ["customInstructions", "customCategories"] });
  assert.equal(found.customInstructions, "be brief");
  assert.deepEqual(found.customCategories, [{ food: "What one eats" }]);
  assert.deepEqual([found.decay, found.multilingual], [true, false]);
});

test("webhooks are made, listed, changed, called and deleted", async () => {
  const posted = [];
  const receiver = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      posted.push(JSON.parse(Buffer.concat(chunks)));
      response.end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  try {
    const address = `http://127.0.0.1:${receiver.address().port}/`;
    const made = await client.createWebhook({ name: "changes", url: address, eventTypes: [mem0.WebhookEvent.MEMORY_ADDED] });
    assertHas(made, ["webhookId", "name", "url", "eventTypes", "isActive", "project", "createdAt", "updatedAt"]);
    assert.deepEqual((await client.getWebhooks()).map((one) => one.webhookId), [made.webhookId]);
    assert.equal((await client.getWebhooks({ projectId })).length, 1);
    const [id] = await stored(["I like tea"]);
    await poll(async () => posted, (found) => found.length > 0);
    assert.deepEqual(posted[0].event_details, { id, data: { memory: "I like tea" }, event: "ADD" });
    assert.ok((await client.updateWebhook({ webhookId: made.webhookId, name: "other" })).message);
    assert.equal((await client.getWebhooks())[0].name, "other");
    assert.ok((await client.deleteWebhook({ webhookId: made.webhookId })).message);
    assert.deepEqual(await client.getWebhooks(), []);
  } finally {
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  }
});

test("feedback is kept and cleared", async () => {
  const [id] = await stored(["I like tea"]);
  const answer = await client.feedback({ memoryId: id, feedback: mem0.Feedback.NEGATIVE, feedbackReason: "wrong" });
  assert.deepEqual([answer.feedback, answer.feedbackReason], ["NEGATIVE", "wrong"]);
  assert.equal((await client.feedback({ memoryId: id, feedback: null })).feedback, null);
});

const schema = { type: "object", properties: { fav_drink: { type: "string", description: "favourite drink" } } };

test("a profile from its settings to its text", async () => {
  await stored(["My favourite drink is tea"]);
  assertHas(await client.getProfileSettings(), ["enabled", "capabilities", "entities"]);
  const settings = await client.updateProfileSettings({ enabled: true, schema, customInstructions: "be brief" });
  assert.equal(settings.enabled, true);
  assert.deepEqual(settings.entities.user.schema, schema);
  assert.equal(settings.entities.user.customInstructions, "be brief");
  const started = await client.generateProfile({ entityId: "mira", idempotencyKey: "once-and-again" });
  assertHas(started, ["jobId", "status", "statusUrl", "operation", "entityType", "entityCountReserved", "eventId", "replayed"]);
  const again = await client.generateProfile({ entityId: "mira", idempotencyKey: "once-and-again" });
  assert.deepEqual([again.jobId, again.replayed], [started.jobId, true]);
  for (const which of [started.statusUrl, started.jobId]) {
    const { job } = await poll(() => client.getProfileJob(which), (found) => !["pending", "running"].includes(found.job.status));
    assert.deepEqual([job.total, job.completed, job.enumerationComplete], [1, 1, true]);
  }
  const profile = await poll(() => client.getProfile({ entityId: "mira" }), (found) => found.status !== "pending");
  assertHas(profile, ["profile", "status", "entityType", "entityId", "updatedAt", "generationCount"]);
  const sample = await client.sampleProfiles({ limit: 1 });
  assert.deepEqual(sample.entityIds, ["mira"]);
  await fails(client.getProfile({ entityId: "nobody" }), mem0.MemoryNotFoundError);
});

test("an export is made by a schema", async () => {
  await stored(["My favourite drink is tea"]);
  const made = await client.createMemoryExport({ schema, ...ofMira, exportInstructions: "be brief" });
  assertHas(made, ["message", "id"]);
  for (const which of [{ memoryExportId: made.id }, ofMira]) {
    const found = await poll(() => client.getMemoryExport(which), (answer) => !("status" in answer));
    assert.deepEqual(Object.keys(found), ["favDrink"]);
  }
  await fails(client.getMemoryExport({ filters: { user_id: "nobody" } }), mem0.MemoryNotFoundError);
});

test("no method was left out", () => {
  const source = require("node:fs").readFileSync(__filename, "utf8");
  const methods = Object.getOwnPropertyNames(MemoryClient.prototype).filter((name) => name !== "constructor" && !name.startsWith("_"));
  assert.deepEqual(methods.filter((name) => !source.includes(`.${name}(`)), []);
});
