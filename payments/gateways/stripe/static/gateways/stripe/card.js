// Stripe's card field: what is typed stays in Stripe's own frame, and becomes the id of a payment method, which is the
// token. static/js/card.js does the rest.

(() => {
  const elements = new WeakMap(); // fields and what Stripe drew in them
  const accounts = new Map(); // keys and Stripe's object for each

  // What Stripe calls the parts, and the sentence for each.
  const PARTS = [
    [/number/, "wrongNumber"],
    [/expiry/, "wrongExpiry"],
    [/cvc/, "wrongCode"],
    [/zip|postal/, "wrongPostal"],
  ];

  const stripeOf = (key) => {
    if (!accounts.has(key)) accounts.set(key, window.Stripe(key, { locale: document.documentElement.lang || "auto" }));
    return accounts.get(key);
  };

  const sentence = (field, error) => {
    const [, name] = PARTS.find(([pattern]) => pattern.test(error?.code ?? "")) ?? [null, "failed"];
    return field.dataset[name];
  };

  const complain = (field, message) => {
    cardField.complain(field, message);
    field.querySelector("[data-stripe-field]").classList.toggle("is-invalid", Boolean(message));
  };

  // Stripe draws in a frame of its own, which our stylesheets do not reach: the same colors, by their variables.
  const styleOf = (field) => {
    const page = getComputedStyle(field);
    const read = (name) => page.getPropertyValue(name).trim();
    const font = { fontFamily: page.fontFamily, fontSize: page.fontSize };
    return {
      base: { ...font, color: read("--ink"), iconColor: read("--muted"), "::placeholder": { color: read("--muted") } },
      invalid: { color: read("--bad") || read("--ink"), iconColor: read("--bad") || read("--ink") },
    };
  };

  const draw = (field) => {
    if (elements.has(field)) return;
    if (!window.Stripe) {
      complain(field, field.dataset.missing);
      return;
    }
    const card = stripeOf(field.dataset.key).elements().create("card", { style: styleOf(field) });
    card.mount(field.querySelector("[data-stripe-field]"));
    card.on("change", (event) => {
      cardField.forget(field);
      complain(field, event?.error ? sentence(field, event.error) : "");
    });
    elements.set(field, card);
  };

  const exchange = async (field) => {
    const card = elements.get(field);
    if (!card) return {};
    const name = field.querySelector("[data-stripe-name]").value.trim();
    const made = { type: "card", card, ...(name && { billing_details: { name } }) };
    const answer = await stripeOf(field.dataset.key).createPaymentMethod(made);
    return { token: answer?.paymentMethod?.id, error: answer?.error };
  };

  const refuse = (field, { error }) => {
    const card = elements.get(field);
    complain(field, card ? sentence(field, error) : field.dataset.missing);
    card?.focus?.();
  };

  const repaint = () => {
    for (const field of cardField.fields()) elements.get(field)?.update?.({ style: styleOf(field) });
  };

  cardField.register({ exchange, refuse, draw, answersInPage: () => Boolean(window.Stripe) });
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
})();
