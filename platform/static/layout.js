// The picture of a layout follows what is typed. Without script the button shows it.
(function () {
  "use strict";
  var form = document.querySelector("[data-layout]"), waiting = 0, asked = 0;
  if (!form || !window.FormData || !window.fetch) { return; }
  function draw() {
    var sent = new FormData(form), mine = (asked += 1);
    sent.set("do", "preview");
    fetch(location.pathname, { method: "POST", body: sent, credentials: "same-origin" })
      .then(function (answer) { return answer.ok || answer.status === 422 ? answer.text() : ""; })
      .then(function (text) {
        var fresh = text && new DOMParser().parseFromString(text, "text/html").querySelector("[data-preview]");
        if (fresh && mine === asked) {
          document.querySelector("[data-preview]").replaceWith(document.importNode(fresh, true));
        }
      })
      .catch(function () {}); // the button is still there
  }
  form.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 400);
  });
})();
