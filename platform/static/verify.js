/* Checks a lot's proof file in the browser, as `nongso trace verify` does: nothing is sent anywhere.
   Hashes are made by the browser itself (WebCrypto); signatures too, where it knows Ed25519.
   All sentences stand in the page. */
"use strict";
(() => {
  const LOG = 1, COSIGNER = 4, FORMAT = "nongso-lot-proof/1";
  const words = document.getElementById("words");
  const verdict = document.getElementById("verdict");
  class Refused extends Error {
    constructor(code, values = {}) { super(code); this.code = code; this.values = values; }
  }
  const refuse = (code, values) => { throw new Refused(code, values); };
  const utf8 = (text) => new TextEncoder().encode(text);
  const joined = (...parts) => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  };
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const encode = (bytes) => btoa(String.fromCharCode(...bytes));
  const same = (one, other) => encode(one) === encode(other);
  function decode(text) {
    let bytes;
    try { bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)); } catch { refuse("unreadable"); }
    if (encode(bytes) !== text) refuse("unreadable");
    return bytes;
  }
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const leafHash = (entry) => sha256(joined(Uint8Array.of(0), entry));
  const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));
  const whole = (value) => (Number.isSafeInteger(value) && value >= 0 ? value : refuse("unreadable"));
  const text = (value) => (typeof value === "string" ? value : refuse("unreadable"));
  const list = (value) => (Array.isArray(value) ? value : refuse("unreadable"));
  const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : refuse("unreadable"));
  // Sizes are below 2^53: BigInt is not needed, but shifts must not be those of 32 bits.
  const bit = (number, height) => Math.floor(number / 2 ** height) % 2;
  const bits = (number) => (number === 0 ? 0 : Math.floor(Math.log2(number)) + 1);
  const innerLength = (index, size) => {
    let height = Math.max(bits(index), bits(size - 1));
    while (height > 0 && bit(index, height - 1) === bit(size - 1, height - 1)) height -= 1;
    return height;
  };
  const ones = (number) => { let sum = 0; for (let n = number; n > 0; n = Math.floor(n / 2)) sum += n % 2; return sum; };

  async function verifyInclusion(leaf, index, size, proof, root) {
    if (index >= size) refuse("proof");
    const inner = innerLength(index, size);
    if (proof.length !== inner + ones(Math.floor(index / 2 ** inner))) refuse("proof");
    let found = leaf;
    for (const [height, other] of proof.entries()) {
      if (other.length !== 32) refuse("proof");
      found = height >= inner || bit(index, height) ? await nodeHash(other, found) : await nodeHash(found, other);
    }
    if (!same(found, root)) refuse("proof");
  }

  async function verifyConsistency(first, second, proof, firstRoot, secondRoot) {
    if (first > second || first === 0 || proof.some((one) => one.length !== 32)) refuse("proof");
    if (first === second) {
      if (proof.length || !same(firstRoot, secondRoot)) refuse("proof");
      return;
    }
    let shift = 0;
    while (!bit(first, shift)) shift += 1;
    const inner = innerLength(first - 1, second) - shift;
    const rest = [...proof];
    const seed = first === 2 ** shift ? firstRoot : rest.shift();
    if (!seed || rest.length !== inner + ones(Math.floor((first - 1) / 2 ** (inner + shift)))) refuse("proof");
    const at = Math.floor((first - 1) / 2 ** shift);
    let [old, now] = [seed, seed];
    for (const [height, other] of rest.entries()) {
      if (height >= inner || bit(at, height)) {
        [old, now] = [await nodeHash(other, old), await nodeHash(other, now)];
      } else {
        now = await nodeHash(now, other);
      }
    }
    if (!same(old, firstRoot) || !same(now, secondRoot)) refuse("proof");
  }

  async function readKey(vkey) {
    const [name, id, ...rest] = text(vkey).trim().split("+");
    const data = decode(rest.join("+"));
    if (data.length !== 33) refuse("unreadable");
    const made = await sha256(joined(utf8(name), Uint8Array.of(10), data));
    if (hex(made.slice(0, 4)) !== id) refuse("unreadable");
    return { vkey: vkey.trim(), name, id: made.slice(0, 4), sort: data[0], bytes: data.slice(1) };
  }

  let knowsEd25519 = true;
  async function isSigned(key, signature, message) {
    try {
      const imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
      return await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
    } catch (error) {
      if (error.name !== "NotSupportedError" && !(error instanceof TypeError) && error.name !== "SyntaxError") return false;
      knowsEd25519 = false;
      return null;
    }
  }

  function readNote(note) {
    const end = text(note).lastIndexOf("\n\n");
    if (end < 0 || !note.endsWith("\n")) refuse("signature");
    const body = note.slice(0, end + 1);
    const [origin, size, root] = body.split("\n");
    if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size) || !root) refuse("signature");
    const signatures = note.slice(end + 2, -1).split("\n").map((line) => {
      const parts = line.split(" ");
      if (parts.length !== 3 || parts[0] !== "—") refuse("signature");
      const data = decode(parts[2]);
      return { name: parts[1], id: data.slice(0, 4), data: data.slice(4) };
    });
    const checkpoint = { body, origin, size: whole(Number(size)), root: decode(root), signatures };
    if (checkpoint.root.length !== 32) refuse("signature");
    return checkpoint;
  }

  /* Times at which a key signed a checkpoint (a log's own key: [0]); a bad signature refuses all. */
  async function timesOf(checkpoint, key) {
    const times = [];
    for (const one of checkpoint.signatures) {
      if (one.name !== key.name || !same(one.id, key.id)) continue;
      let [message, data, at] = [utf8(checkpoint.body), one.data, 0];
      if (key.sort === COSIGNER) {
        at = Number(new DataView(one.data.buffer, one.data.byteOffset, 8).getBigUint64(0));
        message = utf8(`cosignature/v1\ntime ${at}\n${checkpoint.body}`);
        data = one.data.slice(8);
      }
      if ((await isSigned(key, data, message)) === false) refuse("signature");
      times.push(at);
    }
    return times;
  }

  async function entryOf(one, newest) {
    const index = whole(object(one).index);
    const leaf = await leafHash(utf8(text(one.entry)));
    const told = object(JSON.parse(one.entry));
    try {
      await verifyInclusion(leaf, index, newest.size, list(one.proof).map((hash) => decode(text(hash))), newest.root);
    } catch (error) {
      if (error instanceof Refused && error.code === "proof") refuse("changed", { index });
      throw error;
    }
    return { index, told };
  }

  const codeOf = (identifier) => String(identifier).replace(/\/+$/, "").split("/").pop().split(":").pop();
  const codes = (quantities) => (Array.isArray(quantities) ? quantities.filter((one) => one && one.epcClass).map((one) => codeOf(one.epcClass)) : []);

  async function chainOf(found, key, newest) {
    const chain = new Set([key.vkey]);
    const clocks = [];
    const told = [];
    for (const one of list(found.keys)) told.push(await entryOf(one, newest));
    told.sort((one, other) => other.index - one.index);
    for (const { told: one } of told) {
      if (one.kind !== "key") refuse("unreadable");
      if (!chain.has(one.new)) continue;
      clocks.push(await readKey(one.clock));
      if (one.signature === undefined) continue;
      const statement = JSON.stringify({ at: one.at, clock: one.clock, new: one.new, old: one.old });
      if (await isSigned(await readKey(one.old), decode(one.signature), utf8(statement))) chain.add(one.old);
    }
    return { chain, clocks };
  }

  async function judge(data, kept) {
    let found;
    try { found = object(JSON.parse(data)); } catch { refuse("unreadable"); }
    if (found.format !== FORMAT) refuse("unreadable");
    const key = await readKey(found.key);
    const clock = await readKey(found.clock);
    if (key.sort !== LOG) refuse("signature");
    const newest = readNote(found.checkpoint);
    if (newest.size === 0) refuse("empty");
    if (key.name !== newest.origin || !(await timesOf(newest, key)).length) refuse("signature");
    const { chain, clocks } = await chainOf(found, key, newest);
    if (!clocks.some((one) => one.vkey === clock.vkey)) refuse("signature");
    if (kept && !chain.has(kept)) refuse("other_key");
    const records = [];
    for (const one of list(found.records)) {
      const { index, told } = await entryOf(one, newest);
      if (told.kind !== "event" || told.v !== 1 || (records.length && index <= records.at(-1).index)) refuse("unreadable");
      let body = object(told.body);
      if (one.beside !== undefined) {
        if (hex(await sha256(utf8(text(one.beside)))) !== body.sha256) refuse("changed", { index });
        body = object(JSON.parse(one.beside));
      }
      records.push({ index, type: told.type, at: told.at, body, sealed: Object.keys(object(told.sealed)).length });
    }
    if (!records.length) refuse("no_records");
    const last = records.at(-1).index;
    const witnesses = [];
    for (const one of list(found.witnesses)) witnesses.push({ title: text(one.name), ...(await readKey(one.key)) });
    const seen = [newest];
    for (const one of list(found.earlier)) {
      const checkpoint = readNote(one.checkpoint);
      if (checkpoint.origin !== newest.origin) refuse("signature");
      await verifyConsistency(checkpoint.size, newest.size, list(one.consistency).map((hash) => decode(text(hash))), checkpoint.root, newest.root);
      seen.push(checkpoint);
    }
    let since = null;
    const saw = [];
    for (const checkpoint of seen) {
      const times = [];
      for (const one of clocks) times.push(...(await timesOf(checkpoint, one)));
      for (const one of witnesses) {
        const own = await timesOf(checkpoint, one);
        if (own.length) saw.push({ name: one.title, size: checkpoint.size, at: Math.min(...own) });
        times.push(...own);
      }
      if (checkpoint.size > last && times.length) since = Math.min(...times, since ?? Infinity);
    }
    checkWay(text(found.lot), records);
    return { lot: found.lot, newest, key, kept: Boolean(kept), records, since, saw };
  }

  // As in lotproof.py: a lot is from a record that plants, makes or weighs it.
  const bringsAbout = new Set(["lot.planted", "lot.harvested", "lot.received", "lot.transformed", "lot.packed", "lot.split", "lot.merged", "lot.taken_over"]);

  function checkWay(lot, records) {
    const born = new Set();
    const used = new Map();
    for (const { index, type, body } of records) {
      const made = Array.isArray(body.outputQuantityList) && body.outputQuantityList.length ? body.outputQuantityList : body.quantityList;
      if (bringsAbout.has(type)) for (const one of Array.isArray(made) ? made : []) {
        if (type === "lot.planted" || one?.quantity !== undefined) for (const code of codes([one])) born.add(code);
      }
      const sources = codes(body.inputQuantityList);
      if (body["nongso:grownFrom"] !== undefined) sources.push(codeOf(body["nongso:grownFrom"]));
      for (const code of sources) if (!used.has(code)) used.set(code, index);
    }
    if (!born.has(lot)) refuse("other_lot", { lot });
    for (const [code, index] of used) if (!born.has(code)) refuse("gap", { lot: code, index });
  }

  /* --- saying it --- */
  const zone = { timeZone: "Asia/Ho_Chi_Minh", day: "2-digit", month: "2-digit", year: "numeric" };
  const day = (at) => new Date(at * 1000).toLocaleDateString("vi-VN", zone);
  const moment = (at) => new Date(at * 1000).toLocaleString("vi-VN", { ...zone, hour: "2-digit", minute: "2-digit" });
  function say(name, values = {}) {
    const made = words.querySelector(`[data-say="${name}"]`).cloneNode(true);
    made.removeAttribute("data-say");
    made.textContent = made.textContent.replace(/\{(\w+)\}/g, (_all, key) => values[key] ?? "");
    verdict.append(made);
  }
  const word = (type) => words.querySelector(`[data-type="${CSS.escape(type)}"]`)?.textContent ?? type;
  function row(record) {
    const { body } = record;
    const parts = [day(record.at), word(record.type)];
    if (typeof body["nongso:name"] === "string") parts.push(body["nongso:name"]);
    if (record.type.startsWith("labels.") && body["nongso:first"]) parts.push(`${body["nongso:first"]}–${body["nongso:last"]}`);
    for (const one of body.outputQuantityList ?? body.quantityList ?? []) {
      const much = one.quantity === undefined ? "" : ` ${one.quantity.toLocaleString("vi-VN")} ${one.uom === "KGM" ? "kg" : one.uom ?? word("packs")}`;
      parts.push(codeOf(one.epcClass) + much);
    }
    return parts.join(" · ");
  }
  function tell(found) {
    if (knowsEd25519) {
      say(found.since === null ? "good_no_time" : "good", { count: found.records.length, lot: found.lot, since: found.since === null ? "" : moment(found.since) });
    } else {
      say("no_ed25519");
    }
    say("log", { origin: found.newest.origin, size: found.newest.size });
    say(found.kept ? "key_kept" : "key_own", { key: found.key.vkey });
    if (!found.saw.length) say("no_witness");
    if (knowsEd25519) for (const one of found.saw) say("witness", { ...one, at: moment(one.at) });
    const named = (type) => new Set(found.records.filter((one) => one.type === type).flatMap((one) => codes(one.body.outputQuantityList ?? one.body.quantityList)));
    for (const lot of named("lot.withdrawn")) say("withdrawn", { lot });
    const ended = named("lot.recall_ended");
    for (const lot of named("lot.recalled")) if (!ended.has(lot)) say("recalled", { lot });
    say("records");
    const rows = document.createElement("ol");
    for (const one of found.records) {
      const line = document.createElement("li");
      line.value = one.index;
      line.textContent = row(one);
      rows.append(line);
    }
    verdict.append(rows);
    const sealed = found.records.reduce((sum, one) => sum + one.sealed, 0);
    if (sealed) say("sealed", { count: sealed });
    for (const name of ["not_proven", "not_true", "not_pack", "not_later"]) say(name);
  }

  document.getElementById("check").addEventListener("submit", async (event) => {
    event.preventDefault();
    verdict.replaceChildren();
    if (!window.crypto?.subtle) return say("insecure");
    knowsEd25519 = true;
    try {
      const found = await judge(await document.getElementById("file").files[0].text(), document.getElementById("key").value.trim());
      verdict.replaceChildren();
      tell(found);
    } catch (error) {
      verdict.replaceChildren();
      say("bad");
      say(error instanceof Refused ? error.code : "unreadable", error.values);
    }
  });
})();
