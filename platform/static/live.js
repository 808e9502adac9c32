// Asks for the page again now and then and puts what carries data-live in place.
// Without script the page is the same; it is only as old as it says.
(function () {
  "use strict";
  var every = 15000, busy = false;
  function refresh() {
    if (busy || document.hidden) { return; }
    busy = true;
    fetch(location.href.split("#")[0], { credentials: "same-origin" })
      .then(function (answer) { return answer.ok && !answer.redirected ? answer.text() : ""; })
      .then(function (text) {
        if (!text) { return; }
        var fresh = new DOMParser().parseFromString(text, "text/html");
        document.querySelectorAll("[data-live]").forEach(function (old) {
          var now = fresh.querySelector('[data-live="' + old.getAttribute("data-live") + '"]');
          if (now && now.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) {
            old.replaceWith(document.importNode(now, true));
          }
        });
      })
      .catch(function () {})
      .then(function () { busy = false; });
  }
  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
  // A second press while the first is on its way is no second wish, but would look like one.
  document.addEventListener("submit", function (event) {
    setTimeout(function () {
      event.target.querySelectorAll("button").forEach(function (b) { b.disabled = true; });
    }, 0);
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("button:disabled").forEach(function (b) { b.disabled = false; });
  });
})();
