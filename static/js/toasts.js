// The close buttons of messages. They are hidden until this runs, because without it they would do nothing.

for (const button of document.querySelectorAll("[data-toast-close]")) {
  button.hidden = false;
  button.addEventListener("click", () => button.closest(".toast").remove());
}
