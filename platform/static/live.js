// Asks for the page again now and then and puts what carries data-live in place, and says so
// when no answer comes. Without script the page is the same; it is only as old as it says.
(function () {
  "use strict";
  var every = 15000, busy = false, failed = 0;
  var from = document.currentScript.getAttribute("data-from") || location.href.split("#")[0];
  function each(what, then) { document.querySelectorAll(what).forEach(then); }
  function refresh() {
    if (busy || document.hidden) { return; }
    busy = true;
    fetch(from, { credentials: "same-origin" })
      .then(function (answer) {
        if (answer.status >= 500) { throw answer; }
        if (answer.redirected) { location.reload(); } // logged out meanwhile
        return answer.ok && !answer.redirected ? answer.text() : "";
      })
      .then(function (text) {
        failed = 0;
        if (text) { put(new DOMParser().parseFromString(text, "text/html")); }
        each("[data-offline]", function (note) { note.hidden = true; });
      })
      .catch(function () {
        failed += 1; // once may be a hole in the road
        if (failed > 1) { each("[data-offline]", function (note) { note.hidden = false; }); }
      })
      .then(function () { busy = false; });
  }
  function put(fresh) {
    var kept = document.getElementById("kept"); // the network is back: these numbers are of now
    if (kept) { kept.remove(); document.documentElement.removeAttribute("data-old"); }
    each("[data-live]", function (old) {
      var now = fresh.querySelector('[data-live="' + old.getAttribute("data-live") + '"]');
      if (!now || now.innerHTML === old.innerHTML) { return; }
      var held = old.contains(document.activeElement) ? document.activeElement : null;
      var address = held && held.getAttribute("href");
      if (held && !address) { return; }
      old.replaceWith(document.importNode(now, true));
      if (address) { each('[href="' + address + '"]', function (link) { link.focus({ preventScroll: true }); }); }
    });
  }
  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("online", function () { refresh(); setTimeout(refresh, 3000); }); // it may not carry yet
  document.addEventListener("submit", function (event) {
    var form = event.target, word = form.querySelector("[data-not-sent]");
    if (word && navigator.onLine === false) {
      event.preventDefault();
      word.hidden = false;
      word.scrollIntoView({ block: "center" });
      return;
    }
    // A second press while the first is on its way is no second wish, but would look like one.
    setTimeout(function () {
      form.querySelectorAll("button").forEach(function (b) { b.disabled = true; });
    }, 0);
  });
  window.addEventListener("pageshow", function (event) {
    each("button:disabled", function (b) { b.disabled = false; });
    if (event.persisted) { refresh(); }
  });
})();
