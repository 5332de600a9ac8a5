// Shows that something is under way, and keeps a form from being sent twice.
// While a form is being sent its buttons are off, wherever they stand (a button may name its form from outside).

const buttonsOf = (form) =>
  [...form.elements, ...(form.id ? document.querySelectorAll(`button[form="${CSS.escape(form.id)}"]`) : [])].filter(
    (element) => element.type === "submit",
  );

const hold = (form) => {
  form.setAttribute("aria-busy", "true");
  for (const button of buttonsOf(form)) {
    if (button.disabled) continue;
    button.disabled = true;
    button.dataset.held = "";
  }
};

const release = (form) => {
  form.removeAttribute("aria-busy");
  for (const button of buttonsOf(form)) {
    if (!("held" in button.dataset)) continue;
    button.disabled = false;
    delete button.dataset.held;
  }
};

let running = 0;
const count = (change) => {
  running = Math.max(0, running + change);
  document.documentElement.toggleAttribute("data-busy", running > 0);
};

// A page that asks every few seconds whether something has moved is not busy.
const isQuiet = (element) => element.matches("[hx-trigger^=every]");

addEventListener("htmx:beforeSend", (event) => {
  if (isQuiet(event.target)) return;
  count(1);
  if (event.target.matches("form:not([role=search])")) hold(event.target);
});

addEventListener("htmx:afterRequest", (event) => {
  if (isQuiet(event.target)) return;
  count(-1);
  if (event.target.matches("form")) release(event.target);
});

// A plain form: after the browser has read which button was pressed, or its name would not be sent.
addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented) return;
  setTimeout(() => {
    if (!event.defaultPrevented) hold(event.target);
  });
});

// Back from the next page, the browser may show this one as it was left.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[aria-busy]").forEach(release);
});
