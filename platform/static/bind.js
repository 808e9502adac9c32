// Binding labels in the packing room. A kept copy of the page may be shown twice without network,
// so each binding gets its own number here. A scanner types the address and presses Enter: that
// goes to the next field, and sends only from the last. Without script the form works as it came.
(function () {
  "use strict";
  var form = document.querySelector("[data-bind]");
  if (!form) { return; }
  if (!form.querySelector("[role=alert]")) {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    var hex = Array.prototype.map.call(bytes, function (b) { return (b + 256).toString(16).slice(1); }).join("");
    form.elements.id.value = hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
  }
  ["lot", "first"].forEach(function (name, at) {
    form.elements[name].addEventListener("keydown", function (event) {
      if (event.key !== "Enter" || !form.elements[name].value) { return; }
      event.preventDefault();
      form.elements[["first", "last"][at]].focus();
    });
  });
})();
