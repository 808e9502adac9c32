// Says a chosen day as people here write it, with the day of the week: many browsers are set to
// English and show 11/05/2026 for the fifth of November. Without script only the field is there.
(function () {
  "use strict";
  var tongue = document.documentElement.lang === "en" ? "en-GB" : "vi-VN";
  var words = new Intl.DateTimeFormat(tongue, { weekday: "long", timeZone: "UTC" });
  document.querySelectorAll("input[type=date]").forEach(function (field) {
    var said = document.createElement("output");
    said.htmlFor = field.id;
    said.className = "quiet";
    function say() {
      var part = /^(\d{4})-(\d\d)-(\d\d)$/.exec(field.value);
      said.textContent = part ? words.format(new Date(field.value)) + ", " + part[3] + "/" + part[2] + "/" + part[1] : "";
    }
    field.after(said);
    field.addEventListener("input", say);
    say();
  });
})();
