// The bars around a page: the theme menu, the search box, the close buttons of messages.

// The theme menu without loading the page anew. Without this the same form is sent as any other.
const showTheme = (form, theme) => {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.bsTheme;
  else root.dataset.bsTheme = theme;
  for (const button of form.querySelectorAll("button[name=theme]")) {
    if (button.value === theme) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  form.hidePopover();
};

addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]") || event.submitter?.name !== "theme") return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const answer = await fetch(form.action, { method: "post", body, redirect: "manual" }).catch(() => null);
  if (answer && (answer.ok || answer.type === "opaqueredirect")) showTheme(form, event.submitter.value);
});

// A page that is there to be filled in begins at its first field, unless the page itself says where.
const firstField = document.querySelector(
  "main form[method=post] :is(input:not([type=hidden]), select, textarea):not(:disabled)",
);
if (document.activeElement === document.body && firstField?.checkVisibility()) firstField.focus({ preventScroll: true });

// The search box: "/" goes to it, arrow keys walk through its suggestions and back, Esc empties them.
const field = document.querySelector(".search input");
const suggestions = document.getElementById("suggestions");

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!field || event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
  event.preventDefault();
  if (!field.checkVisibility()) field.form.showPopover();
  field.focus();
  field.select();
});

field?.form.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && suggestions.childElementCount) {
    event.preventDefault();
    suggestions.replaceChildren();
    field.focus();
  }
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

// The close buttons of messages are hidden until this runs, because without it they would do nothing.
for (const button of document.querySelectorAll("[data-toast-close]")) {
  button.hidden = false;
  button.addEventListener("click", () => button.closest(".toast").remove());
}
