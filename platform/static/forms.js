// Sends the forms of a page and leaves the page as it is where no answer comes, with what was typed
// and a sentence of what is known, with a service worker or without one. A line that may wait is kept
// in the phone. Without script, or pressed before this file is there, a form leaves as ever.
(function () {
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
})();
