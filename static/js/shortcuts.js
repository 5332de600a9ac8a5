// "/" goes to the search box; Esc empties its suggestions.

const field = document.querySelector(".search input");
const suggestions = document.getElementById("suggestions");

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!field || event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
  event.preventDefault();
  const sheet = field.closest("[popover]");
  if (!field.checkVisibility()) sheet.showPopover();
  field.focus();
  field.select();
});

field?.form.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !suggestions.childElementCount) return;
  event.preventDefault();
  suggestions.replaceChildren();
  field.focus();
});

// Arrow keys walk from the field through the suggestions and back.
field?.form.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const stops = [field, ...suggestions.querySelectorAll("a")];
  const at = stops.indexOf(document.activeElement);
  if (!step || at < 0 || stops.length === 1) return;
  event.preventDefault();
  stops[(at + step + stops.length) % stops.length].focus();
});

addEventListener("click", (event) => {
  if (field && !field.form.contains(event.target)) suggestions.replaceChildren();
});
