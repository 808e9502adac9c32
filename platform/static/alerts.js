// What only a browser can do for alerts: hand a text to another program (the village's Zalo
// group), and let this phone take messages. Without it the texts can be copied by hand.
(function () {
  "use strict";
  document.addEventListener("toggle", function (event) {
    var button = event.target.querySelector && event.target.querySelector("[data-share]");
    if (button && (navigator.share || navigator.clipboard)) { button.hidden = false; }
  }, true);
  document.addEventListener("click", function (event) {
    var button = event.target.closest && event.target.closest("[data-share]");
    if (!button) { return; }
    var text = button.getAttribute("data-share");
    if (navigator.share) {
      navigator.share({ text: text }).catch(function () { /* closed without choosing anybody */ });
    } else {
      navigator.clipboard.writeText(text).then(function () { button.textContent = button.getAttribute("data-done"); });
    }
  });

  var form = document.querySelector("form[data-push]");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window) || !window.isSecureContext) { return; }
  var refused = form.querySelector("[data-push-refused]");
  var button = form.querySelector("[data-push-button]");
  form.querySelector("[data-push-none]").hidden = true;
  button.hidden = false;
  function bytes(text) {
    var raw = atob((text + "===".slice((text.length + 3) % 4)).replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, function (letter) { return letter.charCodeAt(0); });
  }
  button.addEventListener("click", function (event) {
    event.preventDefault();
    button.disabled = true;
    refused.hidden = true;
    navigator.serviceWorker.register("/sw.js")
      .then(function () { return navigator.serviceWorker.ready; })
      .then(function (worker) {
        return worker.pushManager.getSubscription().then(function (kept) { return kept && kept.unsubscribe(); }).then(function () {
          return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(form.getAttribute("data-push")) });
        });
      })
      .then(function (subscription) {
        form.elements.target.value = JSON.stringify(subscription);
        form.submit();
      })
      .catch(function () { refused.hidden = false; button.disabled = false; });
  });
})();
