// The theme menu without loading the page anew. Without this the same form is sent as any other.

const root = document.documentElement;

const show = (form, theme) => {
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
  if (answer && (answer.ok || answer.type === "opaqueredirect")) show(form, event.submitter.value);
});
