// Lets people see the password they type; small keys and long words make it hard otherwise.
(function () {
  "use strict";
  document.querySelectorAll("[data-shows]").forEach(function (label) {
    var field = document.getElementById(label.getAttribute("data-shows"));
    var box = label.querySelector("input");
    label.hidden = false;
    box.addEventListener("change", function () { field.type = box.checked ? "text" : "password"; });
    field.form.addEventListener("submit", function () { field.type = "password"; });
  });
})();
