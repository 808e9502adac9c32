// Asks for the page again now and then and puts what carries data-live in place, and says so
// when no answer comes. Without script the page is the same; it is only as old as it says.
(function () {
  "use strict";
  var every = 15000, busy = false, failed = 0, shown = document.documentElement;
  var is_calm = document.currentScript.hasAttribute("data-calm"); // asks only when there is news of this phone
  var from = document.currentScript.getAttribute("data-from") || location.href.split("#")[0];
  function each(what, then) { document.querySelectorAll(what).forEach(then); }
  function refresh() {
    if (busy || document.hidden || !shown.isConnected) { return; } // an answer may stand in this page's place
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
      var as = old.getAttribute("data-as"); // replaced only when it differs: what is open in it stays open
      if (as && as === now.getAttribute("data-as")) { return; }
      var held = old.contains(document.activeElement) ? document.activeElement : null;
      var address = held && held.getAttribute("href");
      if (held && !address) { return; }
      old.replaceWith(document.importNode(now, true));
      if (address) { each('[href="' + address + '"]', function (link) { link.focus({ preventScroll: true }); }); }
    });
  }
  if (!is_calm) { setInterval(refresh, every); }
  document.addEventListener("sent", refresh); // lines that waited in this phone
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("online", function () { refresh(); setTimeout(refresh, 3000); }); // it may not carry yet
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) { refresh(); }
  });
})();
