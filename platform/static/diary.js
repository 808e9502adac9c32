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
  if (!form.querySelector("[role=alert]")) { renew(); }

  function fit() { // only the fields of what was done; a hidden one is not sent
    form.querySelectorAll("[data-for]").forEach(function (part) {
      var hide = part.getAttribute("data-for").split(" ").indexOf(kind.value) < 0;
      part.hidden = hide;
      part.querySelectorAll("input, select").forEach(function (field) { field.disabled = hide; });
    });
  }
  if (kind.tagName === "SELECT") {
    if (asked) { kind.value = asked[1]; }
    kind.addEventListener("change", fit);
    fit();
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
