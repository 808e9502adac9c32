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

// Sends the forms of a page and leaves the page as it is where no answer comes, with what was typed
// and a sentence of what is known, with a service worker or without one. A line that may wait is kept
// in the phone. Without script, or pressed before this script is there, a form leaves as ever.
if (self.document) { (function () {
  "use strict";
  var PATIENCE = 60000, SOON = 1000; // no answer within it; a press that takes longer says so
  var said = document.querySelector("[data-cut]"), words = said && said.textContent;
  var here = document.body.getAttribute("data-here"); // this page is the answer to a form
  var typed = !!here;
  if (here && location.pathname + location.search !== here) { history.replaceState(null, "", here + location.hash); }
  if (!said || !window.fetch || !window.URLSearchParams || !window.AbortController) { return; }

  document.addEventListener("submit", function (event) {
    var form = event.target, button = event.submitter;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") { return; }
    if (!("submitter" in event)) { // an old browser: which button it was, only the browser knows
      setTimeout(lock, 0, form, true);
      return;
    }
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) { return; } // a second press is no second wish
    document.querySelectorAll("[data-not-sent]").forEach(function (word) { word.hidden = true; });
    said.hidden = true;
    var order = form.querySelector("[data-not-sent]"), surely = navigator.onLine === false; // then nothing leaves
    if (order && surely) {
      order.hidden = false;
      order.scrollIntoView({ block: "center" });
      return;
    }
    var address = new URL(form.getAttribute("action") || location.href, location.href), fields = new FormData(form);
    if (button && button.name) { fields.append(button.name, button.value); }
    lock(form, true);
    var has_left = false; // for a page of one's own choice: then the answer leads nowhere
    function leave() { has_left = true; }
    window.addEventListener("beforeunload", leave);
    var given_up = new AbortController();
    var file = form.getAttribute("enctype") === "multipart/form-data";
    var waiting = setTimeout(function () { tell(form, button, said.getAttribute("data-going")); }, SOON);
    var too_long = file ? 0 : setTimeout(function () { given_up.abort(); }, PATIENCE);
    fetch(address.href.split("#")[0], { method: "POST", credentials: "same-origin", signal: given_up.signal,
      headers: { "X-Sent-By": "page" }, body: file ? fields : new URLSearchParams(fields) }).then(function (answer) {
      var next = answer.headers.get("X-Go-To");
      if (next) { return { next: next }; }
      var name = /^attachment; *filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") || "");
      return name ? answer.blob().then(function (file) { return { file: file, name: name[1] }; })
        : answer.text().then(function (text) { return read(answer, text); });
    }).catch(function () {
      if (!self.waits.test(address.pathname)) { return { sentence: unknown(form, surely) }; }
      return holdLine(address.pathname, fields).then(function () { return { held: true }; }, function () {
        return { sentence: unknown(form, surely) };
      });
    }).then(function (found) {
      clearTimeout(waiting);
      clearTimeout(too_long);
      window.removeEventListener("beforeunload", leave);
      if (has_left) { lock(form, false); return; }
      if (found.next) { go(found.next); return; } // its buttons stay as they are until the page has gone
      lock(form, false);
      said.hidden = true;
      if (found.file) { save(found.file, found.name); return; }
      if (found.page) { show(found.page, address.hash); return; }
      if (found.sentence) { tell(form, button, found.sentence); return; }
      form.replaceWith(document.importNode(document.querySelector("[data-held]").content, true));
      document.documentElement.scrollIntoView();
      typed = false;
      document.dispatchEvent(new Event("held"));
    });
  });

  function unknown(form, surely) {
    var order = form.querySelector("[data-not-sent]");
    if (surely) { return said.getAttribute("data-none"); }
    return order && order.getAttribute("data-not-sent") !== "way" ? said.getAttribute("data-order") : words;
  }
  // A page of its own is shown; a page that only says what went wrong is said here, so that what was
  // typed stays. What is no page of ours comes from something between us.
  function read(answer, text) {
    var page = new DOMParser().parseFromString(text, "text/html"), advice = page.querySelector("[data-advice]");
    if (advice) { return { sentence: page.querySelector("h1").textContent.trim() + ". " + advice.textContent.trim() }; }
    if (!page.querySelector("#main")) { throw answer; }
    return { page: text };
  }
  function show(text, hash) {
    document.open(); // our listeners end with it
    document.write(text);
    document.close();
    window.addEventListener("load", function () {
      (hash && document.getElementById(hash.slice(1)) || document.documentElement).scrollIntoView();
    });
  }
  function save(file, name) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, PATIENCE);
  }
  function go(next) {
    var there = new URL(next, location.href);
    if (there.hash && there.href.split("#")[0] === location.href.split("#")[0]) { // else only the page would scroll
      history.replaceState(null, "", there.href);
      location.reload();
    } else { location.assign(there.href); }
  }
  function tell(form, button, sentence) {
    var at = button && form.contains(button) ? button : null;
    while (at && at.parentNode !== form) { at = at.parentNode; }
    said.textContent = sentence;
    if (form.closest("header")) { document.querySelector("main").prepend(said); } else { form.insertBefore(said, at); }
    said.hidden = false;
    said.scrollIntoView({ block: "center" });
  }
  function lock(form, is_busy) {
    if (is_busy) { form.setAttribute("aria-busy", "true"); } else { form.removeAttribute("aria-busy"); }
    form.querySelectorAll("button").forEach(function (button) { button.disabled = is_busy; });
  }
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[aria-busy]").forEach(function (form) { lock(form, false); });
  });

  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form && form.getAttribute("method") === "post") { typed = true; }
  });
  document.querySelectorAll("a[data-ask]").forEach(function (link) { link.removeAttribute("target"); });
  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-ask]");
    if (link && typed && !window.confirm(link.getAttribute("data-ask"))) { event.preventDefault(); }
  });
})(); }
