// Lets the pages live on the phone: registers the service worker, sends diary lines and bound labels
// that waited for the network, says how many still wait, keeps the pages of the own greenhouses for later.
(function () {
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

  // Once a day: how the greenhouses are, and the form of the diary. What is looked at is kept too.
  var MOST = 3; // greenhouses; who has more does not pay for all of them
  function keepMine(registration) {
    if (!me || !registration.active || navigator.onLine === false) { return; }
    var saver = navigator.connection && navigator.connection.saveData;
    var last = Number(localStorage.getItem("kept-" + me) || 0);
    if (saver || Date.now() - last < 20 * 3600 * 1000) { return; }
    var wanted = ["/greenhouses"];
    document.querySelectorAll("h2 a[href^='/greenhouses/']").forEach(function (link) {
      var path = link.getAttribute("href").split(/[?#]/)[0];
      if (wanted.length < 2 * MOST) { wanted.push(path, path + "/diary/new"); }
    });
    if (wanted.length < 2) { return; }
    navigator.serviceWorker.addEventListener("message", function () {
      localStorage.setItem("kept-" + me, String(Date.now()));
    });
    registration.active.postMessage({ keep: wanted });
  }

  function open() {
    return new Promise(function (done, failed) {
      var opening = indexedDB.open("nongso", 1);
      opening.onupgradeneeded = function () { opening.result.createObjectStore("lines", { keyPath: "id" }); };
      opening.onerror = failed;
      opening.onsuccess = function () { done(opening.result); };
    });
  }
  function ask(store, mode, what) {
    return new Promise(function (done, failed) {
      var request = what(store.transaction("lines", mode).objectStore("lines"));
      request.onsuccess = function () { done(request.result); };
      request.onerror = failed;
    });
  }

  var busy = false, told = 0; // what was sent since the page was opened stays said
  function send() {
    if (busy || !me || !token || !window.indexedDB) { return; }
    busy = true;
    open().then(function (store) {
      return ask(store, "readonly", function (lines) { return lines.getAll(); }).then(function (all) {
        all.sort(function (a, b) { return a.at - b.at; });
        var sent = 0;
        return all.reduce(function (before, line) {
          return before.then(function (going) {
            if (!going || line.user !== me) { return going; }
            return post(line).then(function (answer) {
              line.trouble = answer.ok ? "" : answer.status >= 500 ? line.trouble || "" : "refused";
              if (answer.ok) { sent += 1; }
              return ask(store, "readwrite", function (lines) {
                return answer.ok ? lines.delete(line.id) : lines.put(line);
              }).then(function () { return answer.status < 500; });
            }).catch(function () { return false; }); // no network: the rest waits too
          });
        }, Promise.resolve(true)).then(function () {
          return ask(store, "readonly", function (lines) { return lines.getAll(); });
        }).then(function (left) { store.close(); say(left, sent); });
      });
    }).catch(function () {}).then(function () { busy = false; });
  }
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
    var refused = mine.filter(function (line) { return line.trouble; });
    show(place, "mine", mine.length - refused.length);
    show(place, "others", left.length - mine.length);
    show(place, "refused", refused.length);
    told += sent;
    show(place, "sent", told);
  }
  function show(place, what, count) {
    var part = place.querySelector("[data-" + what + "]");
    part.hidden = !count;
    part.querySelector("b").textContent = String(count);
  }
  send();
  window.addEventListener("online", send);
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { send(); } });
})();
