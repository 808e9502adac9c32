// The part of the service worker that takes messages of alerts. Imported by the service worker.
"use strict";
self.addEventListener("push", function (event) {
  var said = {};
  try { said = event.data.json(); } catch (error) { /* shown as what it is: something to look at */ }
  event.waitUntil(self.registration.showNotification(said.title || "Nông số", {
    body: said.body || "", tag: said.tag || "nongso", renotify: true,
    requireInteraction: !!said.urgent, icon: "/icon-192.png", data: { url: said.url || "/alerts" }
  }));
});
self.addEventListener("notificationclick", function (event) {
  var address = new URL(event.notification.data.url, self.location.origin);
  if (address.origin !== self.location.origin) { address = new URL("/alerts", self.location.origin); }
  event.notification.close();
  event.waitUntil(self.clients.matchAll({ type: "window" }).then(function (open) {
    for (var i = 0; i < open.length; i += 1) {
      if (new URL(open[i].url).origin === address.origin) {
        return open[i].focus().then(function (page) { return page.navigate(address.href); });
      }
    }
    return self.clients.openWindow(address.href);
  }));
});
