// Keeps the last pages on the phone and answers from them without network. A watering order is
// never kept: it is refused with a sentence. A diary line and labels bound to a lot are kept and sent
// later by phone.js. What phone.js has sent itself does not come here; only what left before it was loaded.
"use strict";
importScripts.apply(null, {{ parts|tojson }});
var VERSION = {{ version|tojson }};
var FILES = {{ files|tojson }};
var SHELL = "shell-" + VERSION, PAGES = "pages";
var PATIENCE = 8000; // a slow network answers within it; longer, and the kept page is shown
var OURS = /^\/(greenhouses|plots|alerts|records\/rolls\/bind)(\/|$)/;
var DIARY = /\/diary$/;
var TOLD = /<p [^>]*id="(said|written)"[^>]*>[^]*?<\/p>/g; // what became of a press
var WATER = /^\/greenhouses\/([^/]+\/)?(water|hand|stop|mode|way|wet-test|wet-test\/seen)$/; // what moves water, or lets it
var SAID = {{ said|tojson }}; // in each language a page, and what it says where no answer came

self.addEventListener("install", function (event) {
  event.waitUntil(caches.open(SHELL).then(function (shell) {
    return shell.addAll(FILES);
  }).then(function () { return self.skipWaiting(); }));
});

self.addEventListener("activate", function (event) {
  event.waitUntil(caches.keys().then(function (names) {
    return Promise.all(names.filter(function (name) {
      return name.indexOf("shell-") === 0 && name !== SHELL;
    }).map(function (name) { return caches.delete(name); }));
  }).then(function () { return self.clients.claim(); }));
});

self.addEventListener("fetch", function (event) {
  var address = new URL(event.request.url);
  if (address.origin !== location.origin) { return; }
  if (event.request.method === "POST" && event.request.mode === "navigate") {
    event.respondWith(sent(event.request, address));
  } else if (event.request.method === "GET" && FILES.indexOf(address.pathname + address.search) >= 0) {
    event.respondWith(caches.match(event.request).then(function (kept) { return kept || fetch(event.request); }));
  } else if (event.request.method === "GET" && event.request.mode === "navigate") {
    event.respondWith(shown(event, address));
  }
});

function shown(event, address) {
  var request = event.request;
  if (!OURS.test(address.pathname)) {
    return fetch(request).then(function (answer) {
      if (address.pathname === "/login") { forget(); } // another person may use this phone now
      return answer;
    }).catch(function () { return outcome("page"); });
  }
  var asked = fetch(request).then(function (answer) {
    if (answer.redirected && new URL(answer.url).pathname === "/login") { forget(); return answer; }
    if (answer.type === "opaqueredirect" || !answer.ok) { return answer; }
    var copy = answer.clone();
    event.waitUntil(keep(plain(address), copy, address.search));
    return answer;
  });
  asked.catch(function () {}); // heard below or not at all
  return Promise.race([asked, later(PATIENCE)]).then(function (answer) {
    return answer || kept(address).then(function (page) { return page || asked; });
  }).catch(function () {
    return kept(address).then(function (page) { return page || outcome("page"); });
  });
}

// Quietly, one after the other: the pages that one would want to see without network.
self.addEventListener("message", function (event) {
  var wanted = event.data && event.data.keep;
  if (!Array.isArray(wanted)) { return; }
  event.waitUntil(wanted.reduce(function (before, path) {
    return before.then(function () { return fetch(path); }).then(function (answer) {
      return answer.ok && !answer.redirected && OURS.test(path) ? keep(path, answer) : null;
    });
  }, Promise.resolve()).then(function () { event.source.postMessage({ kept: true }); }, function () {}));
});

function plain(address) { // what a press has just said is not part of the page that is kept
  var search = new URLSearchParams(address.search);
  ["said", "written", "lang"].forEach(function (name) { search.delete(name); });
  var rest = search.toString();
  return address.pathname + (rest ? "?" + rest : "");
}

function keep(name, answer, asked) {
  return Promise.all([caches.open(PAGES), answer.text()]).then(function (both) {
    var text = /[?&](said|written)=/.test(asked || "") ? both[1].replace(TOLD, "") : both[1];
    return both[0].put(name, new Response(text, { headers: {
      "Content-Type": "text/html; charset=utf-8", "X-Kept-At": String(Date.now()),
      "Content-Security-Policy": answer.headers.get("Content-Security-Policy") || "",
    } }));
  });
}

function kept(address) {
  return caches.open(PAGES).then(function (pages) {
    return pages.match(plain(address)).then(function (page) {
      return page || pages.match(address.pathname) || null;
    }).then(function (page) { return page ? aged(page) : null; });
  });
}

function aged(page) { // the page says when it was kept, and its ages are of now
  var at = new Date(Number(page.headers.get("X-Kept-At")));
  return page.text().then(function (text) {
    var said = /data-kept="([^"]*)"/.exec(text);
    var vietnamese = /<html lang="vi"/.test(text);
    var two = function (n) { return (n < 10 ? "0" : "") + n; };
    var hour = vietnamese ? at.getHours() + " giờ" + (at.getMinutes() ? " " + two(at.getMinutes()) : "")
      : two(at.getHours()) + ":" + two(at.getMinutes());
    var day = two(at.getDate()) + "/" + two(at.getMonth() + 1) + "/" + at.getFullYear();
    var note = said ? '<p class="note attention" role="status" id="kept">' + said[1].replace("{hour}", hour).replace("{day}", day) + "</p>" : "";
    var ages = SAID[vietnamese ? "vi" : "en"].ages, since = Math.max(0, Date.now() - at) / 1000;
    text = text.replace(/<span data-ago="(\d+)">[^<]*/g, function (all, seconds) { return '<span data-ago="' + seconds + '">' + age(Number(seconds) + since, ages); });
    return new Response(text.replace("<html ", "<html data-old ").replace(/<main[^>]*>/, function (tag) { return tag + note; }), { headers: page.headers });
  });
}

function age(seconds, words) { // as nongso.platform.languages.age
  var part = seconds < 60 ? 0 : seconds < 3600 ? 1 : seconds < 2 * 86400 ? 2 : 3;
  return words[part].replace("{n}", String(Math.floor(seconds / [1, 60, 3600, 86400][part])));
}

function forget() { return caches.delete(PAGES); }

function later(milliseconds) {
  return new Promise(function (done) { setTimeout(function () { done(null); }, milliseconds); });
}

function outcome(what, diary, from) { // a line that waits has a way back to its diary, a press to its page
  return language().then(function (code) {
    var words = SAID[code][what];
    var text = SAID[code].frame.split("{title}").join(words[0]).replace("{sentence}", words[1])
      .replace("{back}", diary ? SAID[code].back.replace("{page}", diary) : from ? SAID[code].again.replace("{page}", from) : "");
    return new Response(text, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } });
  });
}

function language() { // that of the page kept last
  return caches.open(PAGES).then(function (pages) {
    return pages.match("/greenhouses").then(function (page) {
      return page ? page.text().then(function (text) { return /<html lang="en"/.test(text) ? "en" : "vi"; }) : "vi";
    });
  });
}

function sent(request, address) {
  var surely = navigator.onLine === false; // then nothing has left the phone
  var from = request.referrer.indexOf(location.origin + "/") === 0 ? plain(new URL(request.referrer)).replace(/&/g, "&amp;") : "";
  var copy = request.clone();
  return fetch(request).catch(function () {
    if (waits.test(address.pathname)) {
      return copy.formData().then(function (fields) {
        return holdLine(address.pathname, fields);
      }).then(function () { return DIARY.test(address.pathname) ? outcome("line", address.pathname) : outcome("bind"); }, function () { return outcome("other"); });
    }
    var order = WATER.test(address.pathname);
    if (!surely) { return outcome(order ? "unsure" : "maybe", "", from); }
    if (order) {
      var last = address.pathname.split("/").pop();
      return outcome(last === "water" || last === "stop" || last === "mode" ? last : "other", "", from);
    }
    return outcome("other", "", from);
  });
}
