/* Collects the levers, asks, waits for the answer and shows it. Text from the server is only ever put in as text. */
(() => {
"use strict";
const form = document.getElementById("levers"), told = document.getElementById("told");
const frame = document.getElementById("page"), cancel = document.getElementById("cancel");
const turns = document.getElementById("turns");
const TURNS = {
  haul: {words: "rail haul in a country, times", list: "countries", value: 0.5, step: 0.05},
  dwell: {words: "dwell at a place, times", list: "places", value: 0.5, step: 0.05},
  capacity: {words: "room at a place, times", list: "places", value: 2, step: 0.1},
  premium: {words: "premium at a port, USD/t", list: "ports", value: 10, step: 1},
  tariff: {words: "a tariff, its value", list: "tariffs", value: 0.02, step: 0.001},
};
let current = "", timer = 0, number = 0;

function say(text, bad) {
  told.textContent = text;
  told.classList.toggle("bad", Boolean(bad));
}
const money = value => (value < 0 ? "−" : "") + Math.abs(Math.round(value)).toLocaleString("en") + " USD a year";

function chosen(id, value, words) {
  const list = document.getElementById(id);
  if ([...list.children].some(item => item.dataset.value === value)) return;
  const item = document.createElement("li"), away = document.createElement("button");
  item.dataset.value = value;
  item.appendChild(document.createElement("span")).textContent = words;
  away.type = "button";
  away.textContent = "×";
  away.setAttribute("aria-label", "take back: " + words);
  away.addEventListener("click", () => { item.remove(); soon(); });
  item.appendChild(away);
  list.appendChild(item);
}
form.querySelectorAll("select[data-add]").forEach(select => select.addEventListener("change", () => {
  if (select.value) chosen(select.dataset.add, select.value, select.selectedOptions[0].textContent);
  select.value = "";
}));

function addTurn(kind) {
  const what = TURNS[kind], row = document.createElement("div");
  row.className = "turn";
  row.dataset.kind = kind;
  row.appendChild(document.createElement("small")).textContent = what.words;
  const target = row.appendChild(document.createElement("input")), value = row.appendChild(document.createElement("input"));
  target.setAttribute("list", what.list);
  target.setAttribute("aria-label", what.words + ": where");
  target.placeholder = "id";
  value.type = "number";
  value.step = what.step;
  value.value = what.value;
  value.setAttribute("aria-label", what.words + ": how much");
  const away = row.appendChild(document.createElement("button"));
  away.type = "button";
  away.textContent = "×";
  away.setAttribute("aria-label", "take this lever away");
  away.addEventListener("click", () => { row.remove(); soon(); });
  turns.appendChild(row);
  target.focus();
}
document.getElementById("add_turn").addEventListener("click", () => addTurn(document.getElementById("turn_kind").value));

function question() {
  const data = new FormData(form), values = id => [...document.getElementById(id)?.children ?? []].map(item => item.dataset.value);
  const asked = {
    scenarios: data.getAll("scenarios"), close_chokepoints: data.getAll("close_chokepoints"),
    close_links: values("close_links"), close_places: values("close_places"), open_links: values("open_links"),
    gauge_variant: data.get("gauge_variant") || "", demand: Number(data.get("demand")),
    turns: [...turns.children].filter(row => row.children[1].value.trim()).map(row => ({
      kind: row.dataset.kind, target: row.children[1].value.trim(), value: Number(row.children[2].value)})),
  };
  if (data.get("demand_year")) asked.demand_year = Number(data.get("demand_year"));
  return asked;
}

async function call(path, options) {
  const response = await fetch(path, options), answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || "the server answered " + response.status);
  return answer;
}
async function stop(id) {
  if (id) await call("/questions/" + id, {method: "DELETE"}).catch(() => {});
}
async function solve() {
  clearTimeout(timer);
  const mine = ++number;
  stop(current);
  say("solving ...");
  cancel.hidden = false;
  try {
    let job = await call("/questions", {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(question())});
    current = job.id;
    while (job.state === "waiting" || job.state === "solving") {
      await new Promise(done => setTimeout(done, 120));
      if (mine !== number) return;
      job = await call("/questions/" + current);
      if (job.progress && job.progress.cost !== null) say("solving ... best so far " + money(job.progress.cost));
    }
    if (mine !== number) return;
    if (!job.page) {
      say(job.words || "no plan: " + (job.status || job.state), true);
      return;
    }
    const more = job.difference;
    say(`${job.asked}: ${job.status}, ${money(job.cost)}, ${money(Math.abs(more))} ${more >= 0 ? "more" : "less"} than as it stands; `
      + `no plan costs less than ${money(job.bound)}. Solved in ${job.solve_s.toFixed(1)} s${job.state === "stopped" ? ", stopped: " + job.words : ""}.`);
    frame.src = job.page;
  } catch (error) {
    if (mine === number) say(error.message, true);
  } finally {
    if (mine === number) { cancel.hidden = true; current = ""; }
  }
}
function soon() {
  clearTimeout(timer);
  timer = setTimeout(solve, 350);
}
form.addEventListener("input", event => {
  if (event.target.name === "demand") document.getElementById("demand_shown").textContent = event.target.value;
});
form.addEventListener("change", event => { if (event.target.id !== "turn_kind") soon(); });
form.addEventListener("submit", event => { event.preventDefault(); solve(); });
form.addEventListener("reset", () => {
  document.querySelectorAll(".chosen").forEach(list => list.replaceChildren());
  turns.replaceChildren();
  document.getElementById("demand_shown").textContent = "1";
  clearTimeout(timer);
  number++;
  stop(current);
  cancel.hidden = true;
  frame.src = "/answers/base";
  say("The plan as it stands.");
});
cancel.addEventListener("click", () => stop(current));
})();
