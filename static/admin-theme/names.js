// Names what Django's own scripts and templates draw without a name, for people who hear a page instead of seeing it.
// Runs on every staff page, after Django's scripts.

// The box with a search in it that stands for a select: its label, then what is chosen.
function nameBox(select) {
  const [label] = select.labels;
  const box = select.nextElementSibling?.querySelector(".select2-selection");
  const value = box?.querySelector(".select2-selection__rendered");
  if (!label || !value) return;
  label.id ||= `${select.id}_label`;
  box.setAttribute("aria-labelledby", `${label.id} ${value.id}`);
  value.removeAttribute("role");
  value.removeAttribute("aria-readonly");
}

// What opens below such a box: the field to search in, and the list of what was found.
function nameChoices(select) {
  const box = select.nextElementSibling.querySelector(".select2-selection");
  box.setAttribute("aria-controls", box.getAttribute("aria-owns"));
  const [label] = select.labels;
  for (const part of document.querySelectorAll(".select2-dropdown :is(input, [role=listbox])")) {
    if (label) part.setAttribute("aria-labelledby", label.id);
  }
}

// On a phone the cells of a row stand one below the other, each after the name of its column.
function nameCells(table) {
  const names = Array.from(table.querySelectorAll("thead th"), (heading) => heading.textContent.trim());
  for (const row of table.tBodies[0].rows) {
    if (row.cells.length !== names.length) continue;
    names.forEach((name, column) => row.cells[column].setAttribute("data-column", name));
  }
}

// A table that is wider than its place can be scrolled with the keyboard too.
const scrollers = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

addEventListener("load", () => {
  const search = document.getElementById("changelist-search-form");
  if (search) document.getElementById("searchbar").ariaLabel = search.textContent;
  document.querySelectorAll(".search-label-icon").forEach((icon) => icon.setAttribute("role", "img"));
  // Above a column without a name stands an empty cell, not a heading.
  document.querySelectorAll("th:empty").forEach((corner) => corner.setAttribute("role", "cell"));
  document.querySelectorAll(".tabular table").forEach(nameCells);
  for (const place of document.querySelectorAll(".tabular .wrapper")) {
    place.setAttribute("role", "group");
    place.setAttribute("aria-labelledby", place.closest("fieldset").getAttribute("aria-labelledby"));
    scrollers.observe(place);
  }
});

const $ = window.django?.jQuery;
const selects = document.querySelectorAll("select.admin-autocomplete");
// What opens belongs to the main part of the page.
for (const select of selects) select.dataset.dropdownParent = "#content-start";
$?.(() => selects.forEach(nameBox));
$?.(document).on("select2:open", (event) => nameChoices(event.target));

// A page that asks before it acts begins at its first field; Django's forms that add something do so by themselves.
if (document.activeElement === document.body) {
  document.querySelector("#content-main form .form-row :is(input:not([type=hidden]), select, textarea)")?.focus();
}
