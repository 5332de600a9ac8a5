// The sandbox's card field: what is typed goes to the sandbox's own endpoint, which gives a one-time token for it. The
// inputs have no names. static/js/card.js does the rest.

(() => {
  const inputs = (field) => [...field.querySelectorAll("[data-card-part]")];

  const mark = (input, message = "") => {
    input.classList.toggle("is-invalid", Boolean(message));
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    const place = document.getElementById(input.getAttribute("aria-describedby"));
    if (place) cardField.complain(input, message, place);
  };

  const refuse = (field, { errors = { "": field.dataset.failed } }) => {
    for (const input of inputs(field)) mark(input, errors[input.dataset.cardPart]);
    cardField.complain(field, errors[""] ?? "");
    (field.querySelector("[aria-invalid=true]") ?? field.querySelector("[data-card-part]")).focus();
  };

  const exchange = async (field, form) => {
    const typed = Object.fromEntries(inputs(field).map((input) => [input.dataset.cardPart, input.value]));
    delete typed.name; // the sandbox has no use for it
    const answer = await fetch(field.dataset.tokens, {
      method: "POST",
      redirect: "manual",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify(typed),
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) return { errors: { "": field.dataset.signedOut } };
    return answer.json();
  };

  document.addEventListener("input", (event) => {
    const input = event.target;
    const field = input.closest?.("[data-card-field]");
    if (!field || !input.dataset.cardPart) return;
    cardField.forget(field);
    mark(input);
    if (event.inputType?.startsWith("delete")) return;
    if (input.dataset.cardPart === "number" && input.selectionEnd === input.value.length) {
      const digits = input.value.replace(/\D/g, "").slice(0, 19);
      input.value = digits.replace(/(.{4})(?=.)/g, "$1 ");
    }
    if (input.dataset.cardPart === "expiry") input.value = input.value.replace(/^(\d{2})\s*\/?\s*(?=\d)/, "$1 / ");
  });

  cardField.register({ exchange, refuse });
})();
