// Lets the pages live on the phone: registers the service worker, sends diary lines and bound labels
// that waited for the network, says how many still wait, keeps the pages of the own greenhouses for later.

// The store of the lines that wait on this phone; the service worker imports this file for it. A
// promise of the request's answer comes back, once all is on disk.
self.withLines = function (mode, what) {
  return new Promise(function (done, failed) {
    var opening = indexedDB.open("nongso", 1);
    opening.onupgradeneeded = function () { opening.result.createObjectStore("lines", { keyPath: "id" }); };
    opening.onerror = failed;
    opening.onsuccess = function () {
      var store = opening.result, work = store.transaction("lines", mode), request = what(work.objectStore("lines"));
      work.oncomplete = function () { store.close(); done(request.result); };
      work.onerror = work.onabort = function () { store.close(); failed(request.error); };
    };
  });
};

// What may wait for a network: a new line of a diary, labels bound to a lot. It waits under the
// number that it will have: kept twice, it is one line, and sent twice, one line in the diary.
self.waits = /^\/((greenhouses|plots)\/[^/]+\/diary|records\/rolls\/bind)$/;
self.holdLine = function (path, fields) {
  var line = { id: String(fields.get("id")), path: path, user: String(fields.get("user") || ""), at: Date.now(), fields: [] };
  fields.forEach(function (value, name) {
    if (name !== "form_token" && name !== "user" && !(value instanceof File && !value.size)) { line.fields.push([name, value]); }
  });
  return withLines("readwrite", function (lines) { return lines.put(line); });
};

if (self.document) { (function () {
  "use strict";
  var me = document.body.getAttribute("data-user") || "";
  var token = document.querySelector("input[name=form_token]");
  if ("serviceWorker" in navigator) {
    window.addEventListener("load", function () {
      navigator.serviceWorker.register("/sw.js").then(function () {
        return navigator.serviceWorker.ready;
      }).then(keepMine).catch(function () { /* no secure origin: the pages work, only not without network */ });
    });
  }
  document.querySelectorAll("form[data-diary], form[data-bind]").forEach(function (form) {
    var field = document.createElement("input");
    field.type = "hidden"; field.name = "user"; field.value = me;
    form.appendChild(field);
  });

  // Once a day: how the greenhouses are, their diaries and the form of a line. What is looked at is kept too.
  var MOST = 3; // greenhouses; who has more does not pay for all of them
  function keepMine(registration) {
    if (!me || !registration.active || navigator.onLine === false) { return; }
    var saver = navigator.connection && navigator.connection.saveData;
    var last = Number(localStorage.getItem("kept-" + me) || 0);
    if (saver || Date.now() - last < 20 * 3600 * 1000) { return; }
    var wanted = ["/greenhouses"];
    document.querySelectorAll("h2 a[href^='/greenhouses/']").forEach(function (link) {
      var path = link.getAttribute("href").split(/[?#]/)[0];
      if (wanted.length < 3 * MOST) { wanted.push(path, path + "/diary", path + "/diary/new"); }
    });
    if (wanted.length < 2) { return; }
    navigator.serviceWorker.addEventListener("message", function () {
      localStorage.setItem("kept-" + me, String(Date.now()));
    });
    registration.active.postMessage({ keep: wanted });
  }

  var DIARY = /\/diary$/;
  var written = DIARY.test(location.pathname) && new URLSearchParams(location.search).get("written");
  function reasons(page) { // what stands in red beside the fields, or above them
    var told = new DOMParser().parseFromString(page, "text/html");
    var beside = told.querySelectorAll(".error");
    return Array.prototype.map.call(beside.length ? beside : told.querySelectorAll("[role=alert]"), function (one) {
      var label = one.closest(".field") && one.closest(".field").querySelector("label:not(.check)");
      return (label ? label.textContent.trim() + ": " : "") + one.textContent.trim();
    });
  }

  var busy = false, told = 0; // what was sent since the page was opened stays said
  var SOONEST = 3000, LATEST = 120000, pause = SOONEST, wake = 0; // a network that is back may not carry yet
  function send() {
    if (!me || !token || !token.isConnected || !window.indexedDB) { return; } // else another page has taken its place
    clearTimeout(wake);
    if (busy) { wake = setTimeout(send, SOONEST); return; }
    busy = true;
    every().then(function (all) {
      all.sort(function (a, b) { return a.at - b.at; });
      var sent = 0, broken = false, has_news = false;
      return all.reduce(function (before, line) {
        return before.then(function (going) {
          if (!going || line.user !== me) { return going; }
          if (line.id === written) { return forget(line.id).then(function () { return true; }); }
          if (line.reasons) { return true; } // told why; it waits for its writer
          return post(line).then(function (answer) {
            line.trouble = answer.ok ? "" : answer.status >= 500 ? line.trouble || "" : "refused";
            return answer.status === 422 && DIARY.test(line.path) ? answer.text().then(function (page) {
              line.reasons = reasons(page);
              return answer;
            }) : answer;
          }).then(function (answer) {
            if (answer.ok) { sent += 1; has_news = has_news || line.path === location.pathname; }
            var kept = answer.ok ? forget(line.id) : withLines("readwrite", function (lines) { return lines.put(line); });
            return kept.then(function () { broken = answer.status >= 500; return !broken; });
          }).catch(function () { broken = true; return false; }); // no network: the rest waits too
        });
      }, Promise.resolve(true)).then(every).then(function (left) {
        say(left, sent);
        if (has_news) { document.dispatchEvent(new Event("sent")); } // the diary that is open has more lines
        pause = broken && !sent ? Math.min(pause * 2, LATEST) : SOONEST;
        if (broken && navigator.onLine !== false) { wake = setTimeout(send, pause); }
      });
    }).catch(function () {}).then(function () { busy = false; });
  }
  function every() { return withLines("readonly", function (lines) { return lines.getAll(); }); }
  function forget(id) { return withLines("readwrite", function (lines) { return lines.delete(id); }); }
  function post(line) {
    var form = new FormData();
    line.fields.forEach(function (pair) { form.append(pair[0], pair[1]); });
    return fetch(line.path, { method: "POST", body: form, credentials: "same-origin",
      headers: { "X-Form-Token": token.value } }).then(function (answer) {
      if (answer.redirected && /\/login/.test(answer.url)) { return { ok: false, status: 503 }; }
      return answer;
    });
  }

  function say(left, sent) {
    var place = document.querySelector("[data-waiting]");
    if (!place) { return; }
    var mine = left.filter(function (line) { return line.user === me; });
    var refused = mine.filter(function (line) { return line.trouble; }).sort(function (a, b) { return a.at - b.at; });
    show(place, "mine", mine.length - refused.length);
    show(place, "others", left.length - mine.length);
    show(place, "refused", refused.length);
    list(refused);
    told += sent;
    show(place, "sent", told);
  }
  // Each refused line of this diary with why; the sentence above leads to the first one's diary.
  function list(refused) {
    var link = document.querySelector("[data-first-refused]"), place = document.querySelector("[data-refused-lines]");
    var here = refused.filter(function (line) { return line.path === location.pathname; });
    if (link && refused.length) { link.href = (here[0] || refused[0]).path + "#refused"; }
    if (!place) { return; }
    place.hidden = !here.length;
    place.querySelector("ul").replaceChildren.apply(place.querySelector("ul"), here.map(function (line) {
      var item = place.querySelector("template").content.cloneNode(true);
      var said = {};
      line.fields.forEach(function (pair) { if (typeof pair[1] === "string") { said[pair[0]] = pair[1].trim(); } });
      var button = document.querySelector('.kinds [data-kind="' + said.kind + '"]');
      item.querySelector("b").textContent = button ? button.textContent : "";
      item.querySelector("span").textContent = words(said, place).join(" · ");
      item.querySelector(".error").textContent = line.reasons && line.reasons.join(" ") || place.getAttribute("data-unsaid");
      item.querySelector("a").href = line.path + "/new?kind=" + encodeURIComponent(said.kind || "") + "#line=" + line.id;
      item.querySelector("button").addEventListener("click", function () { drop(line.id, this.getAttribute("data-ask")); });
      return item;
    }));
  }
  function words(said, place) {
    var units = JSON.parse(place.getAttribute("data-units"));
    var amount = said.amount && said.amount + " " + (units[said.unit] || "");
    var interval = said.interval_days && place.getAttribute("data-interval").replace("{count}", said.interval_days);
    return [(said.day || "").split("-").reverse().join("/"), said.crop, said.product, said.ingredient, amount, said.dose, said.to, interval, said.note].filter(Boolean);
  }
  function drop(id, question) {
    if (!window.confirm(question)) { return; }
    forget(id).then(send).catch(function () {});
  }
  function show(place, what, count) {
    var part = place.querySelector("[data-" + what + "]");
    part.hidden = !count;
    part.querySelector("b").textContent = String(count);
  }
  send();
  document.addEventListener("held", send);
  window.addEventListener("online", function () { pause = SOONEST; send(); });
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { send(); } });
})(); }
