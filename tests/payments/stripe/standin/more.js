// What localstripe's Stripe.js lacks and the portal uses: a card that becomes an id, the bank's check of an intent that
// the server confirmed, and names for the fields.

(() => {
  const base = new URL(document.currentScript.src).origin;
  const plain = window.Stripe;
  const LABELS = { number: "Card number", exp_month: "Expiry month", exp_year: "Expiry year", cvc: "CVC", postal_code: "Postal code" };

  const post = async (path, body) => {
    const answer = await fetch(base + path, { method: "POST", body: new URLSearchParams(body) });
    return answer.json();
  };

  window.Stripe = (key) => {
    const stripe = plain(key);
    return {
      ...stripe,
      elements: () => {
        const made = stripe.elements();
        const create = made.create.bind(made);
        made.create = (...given) => {
          const card = create(...given);
          const mount = card.mount.bind(card);
          card.mount = (place) => {
            mount(place);
            for (const input of place.querySelectorAll("input")) input.setAttribute("aria-label", LABELS[input.placeholder]);
          };
          card.focus = () => card._inputs.number.focus();
          return card;
        };
        return made;
      },
      createPaymentMethod: async ({ card }) => {
        if (!card.value?.card.number) return { error: { code: "incomplete_number", message: "Your card number is incomplete." } };
        const typed = Object.entries(card.value.card).map(([name, value]) => [`card[${name}]`, value]);
        const answer = await post("/v1/payment_methods", { key, type: "card", ...Object.fromEntries(typed) });
        return answer.error ? { error: answer.error } : { paymentMethod: answer };
      },
      handleNextAction: async ({ clientSecret }) => {
        const asked = openModal("3D Secure\nDo you want to confirm or cancel?", "Complete authentication", "Fail authentication");
        document.body.lastElementChild.style.zIndex = 2147483647; // as Stripe's own, over all of the page
        const success = await asked;
        return post("/in_page", { client_secret: clientSecret, success });
      },
    };
  };
})();
