// A line of the diary gets its own number on the phone, and its picture is made small before it
// travels over a slow network. Without script the form works as it came from the server.
(function () {
  "use strict";
  var longest = 1280;
  var form = document.querySelector("[data-diary]");
  if (!form) { return; }
  var kind = form.elements.kind, asked = /[?&]kind=(\w+)/.exec(location.search);

  // A kept copy of this page may be shown twice without network; each line needs a new number.
  function renew() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    var hex = Array.prototype.map.call(bytes, function (b) { return (b + 256).toString(16).slice(1); }).join("");
    form.elements.id.value = hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
  }
  var old = document.documentElement.hasAttribute("data-old");
  var again = /^#line=([0-9a-f-]{36})$/.exec(location.hash); // a line that was refused, to be mended
  if (again) { form.elements.id.value = again[1]; } else if (!form.querySelector("[role=alert]")) { renew(); }
  if (old) { // kept on another day; the line is of today until somebody says otherwise
    form.elements.day.value = form.elements.day.max = new Date(Date.now() + 7 * 3600 * 1000).toISOString().slice(0, 10);
  }

  function fit() { // the very fields that the form of this kind has
    var part = form.querySelector('template[data-kind="' + kind.value + '"]');
    form.querySelector("[data-fields]").replaceChildren(part ? part.content.cloneNode(true) : "");
    form.querySelectorAll("[data-high]").forEach(high);
  }
  function high(field) { // what a pattern cannot say: 400 days, no litres
    var typed = field.value.trim(), whole = field.inputMode === "numeric";
    var value = Number(whole ? typed.replace(/[., ]/g, "") : typed.replace(/ /g, "").replace(/^(\d+),(\d{1,2})$/, "$1.$2"));
    var wrong = value > Number(field.dataset.high) || typed && !whole && !/[1-9]/.test(typed);
    field.setCustomValidity(wrong ? field.title : "");
  }
  if (kind.tagName === "SELECT") {
    if (asked) { kind.value = asked[1]; }
    kind.addEventListener("change", fit);
    fit();
    form.hidden = false;
  }
  form.addEventListener("input", function (event) { if (event.target.dataset.high) { high(event.target); } });
  form.addEventListener("invalid", function (event) { // a field that is folded away cannot be shown
    var folded = event.target.closest("details");
    if (folded) { folded.open = true; }
  }, true);

  function fill(line) {
    if (!line) { return; }
    line.fields.forEach(function (pair) {
      var field = form.elements[pair[0]];
      if (!field || pair[0] === "kind") { return; }
      if (field.type !== "file") { field.value = pair[1]; return; }
      if (!window.DataTransfer) { return; }
      var hand = new DataTransfer();
      hand.items.add(pair[1]);
      field.files = hand.files;
    });
    form.querySelectorAll("[data-high]").forEach(high);
    var said = form.querySelector("[data-reasons]");
    said.textContent = (line.reasons || []).join(" ");
    said.hidden = !said.textContent;
    var folded = form.querySelector("details");
    if (folded) { folded.open = true; }
  }
  if (again && window.indexedDB) {
    withLines("readonly", function (lines) { return lines.get(again[1]); }).then(function (line) {
      if (line && line.user === document.body.getAttribute("data-user")) { fill(line); }
    }).catch(function () { /* the form stays empty */ });
  }

  var photo = form.elements.photo;
  photo.addEventListener("change", function () {
    var file = photo.files[0];
    if (!file || !window.createImageBitmap || !window.DataTransfer) { return; }
    createImageBitmap(file).then(function (picture) {
      var scale = Math.min(1, longest / Math.max(picture.width, picture.height));
      var paper = document.createElement("canvas");
      paper.width = Math.round(picture.width * scale);
      paper.height = Math.round(picture.height * scale);
      paper.getContext("2d").drawImage(picture, 0, 0, paper.width, paper.height);
      paper.toBlob(function (small) {
        if (!small || small.size >= file.size) { return; }
        var hand = new DataTransfer();
        hand.items.add(new File([small], "anh.jpg", { type: "image/jpeg" }));
        photo.files = hand.files;
      }, "image/jpeg", 0.8);
    }).catch(function () { /* the server makes it small, or says why not */ });
  });
})();
